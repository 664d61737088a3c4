// What inspection wants to know of a process, where there is one.
export type Platform = {
  readonly versions?: { readonly node: string; readonly v8: string };
  readonly platform: string;
  readonly arch: string;
};
