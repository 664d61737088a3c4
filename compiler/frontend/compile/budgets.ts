// Bounds of what is kept for a compiled function. Past them its calls are ordinary recording: right, and no faster than uncompiled.

/** Segments of one specialisation. */
export const maxSegments = 256;
/** Numbers that one look may show before it no longer is a branch (a sampled token, say). */
export const maxValues = 8;
/** Specialisations, unless the user says otherwise. */
export const defaultMaxVariants = 32;

/** Says something once for each compiled function and subject. */
export function warner(): (subject: string, message: () => string) => void {
  const said = new Set<string>();
  return (subject, message) => {
    if (said.has(subject)) return;
    said.add(subject);
    console.warn(message());
  };
}
