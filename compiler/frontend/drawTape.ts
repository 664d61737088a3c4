// Random draws that are to be used again: a checkpointed function computes with the same ones when it runs for the second time.

export type DrawTape = { readonly draws: unknown[] };
type Running = { readonly tape: DrawTape; at: number; readonly isReplay: boolean; readonly outer: Running | undefined };
let running: Running | undefined;

/** A draw: a new one, or the one that the running tape has at this place. Every tape that is recorded keeps it. */
export const drawn = <T>(draw: () => T): T => take(running, draw);

function take<T>(r: Running | undefined, draw: () => T): T {
  if (r === undefined) return draw();
  if (r.isReplay && r.at < r.tape.draws.length) return r.tape.draws[r.at++] as T;
  const value = take(r.outer, draw);
  if (!r.isReplay) r.tape.draws.push(value);
  return value;
}

/** Runs `f` with its draws kept on `tape`, or taken from it. */
export function withTape<T>(tape: DrawTape, isReplay: boolean, f: () => T): T {
  const outer = running;
  running = { tape, at: 0, isReplay, outer };
  try {
    return f();
  } finally {
    running = outer;
  }
}
