// Standard output carries the report of a command alone, so that it can be piped: what the user's program prints goes to standard error.

/** From now on everything else goes to standard error; gives what writes the report. */
export function redirectOutput(): (text: string) => void {
  const { stdout, stderr } = process;
  const write = stdout.write.bind(stdout);
  stdout.write = stderr.write.bind(stderr) as typeof stdout.write;
  stdout.once('error', endQuietly);
  return (text) => void write(text);
}

/** A reader that has seen enough (`fluxion ir a.ts | head`) closes the pipe: no mistake of anybody's. */
export function endQuietly(error: NodeJS.ErrnoException): void {
  if (error.code !== 'EPIPE') throw error;
  process.exit(0);
}
