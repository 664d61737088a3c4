// Runs once in each process of the tests: stacks are told frame by frame, and every frame only once.
// Vite maps each frame of each stack from the code that it serves back to the source. Every op that a test records for the first time reads
// a stack to say where it came from, and the frames are nearly always the same ones: without this, maps took a tenth of the whole run.

type Format = typeof Error.prepareStackTrace & { readonly isMemoised?: true };
const format: Format = Error.prepareStackTrace;

if (format !== undefined && format.isMemoised === undefined) {
  const known = new Map<string, string>();
  const told = (frame: NodeJS.CallSite): string => {
    const place = `${frame.getFunctionName()} ${frame.getScriptNameOrSourceURL()}:${frame.getLineNumber()}:${frame.getColumnNumber()}`;
    let line = known.get(place);
    if (line === undefined) {
      const whole = String(format?.({ name: '', message: '' } as Error, [frame]));
      line = whole.slice(whole.indexOf('\n'));
      known.set(place, line);
    }
    return line;
  };
  const memoised = (error: Error, frames: readonly NodeJS.CallSite[]): string => {
    const message = error.message === '' ? '' : `: ${error.message}`;
    return `${error.name ?? 'Error'}${message}${frames.map(told).join('')}`;
  };
  Error.prepareStackTrace = Object.assign(memoised, { isMemoised: true as const });
}
