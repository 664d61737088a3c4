// Settings from the environment, where there is one: comma-separated names.
export function environment(name: string): readonly string[] {
  return (globalThis.process?.env?.[name] ?? '').split(',').filter((part) => part !== '');
}
