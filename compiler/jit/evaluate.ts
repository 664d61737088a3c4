// Where source becomes code: the one place of the package that evaluates text.
import { DeviceError, ProgramError } from '../../runtime/errors.ts';

/** What the text of a function's body returns, given values by name. `what` names the code in messages. */
export function evaluated(what: string, body: string, given: readonly (readonly [name: string, value: unknown])[] = []): unknown {
  try {
    return new Function(...given.map(([name]) => name), `"use strict"; ${body}`)(...given.map(([, value]) => value));
  } catch (cause) {
    if (cause instanceof EvalError)
      throw new DeviceError('this page or process forbids generating code from strings', {
        op: 'load',
        fix: "build ahead of time with 'fluxion build', or allow it ('unsafe-eval' in the content security policy)",
        cause,
      });
    throw new ProgramError(`${what} does not compile: ${String(cause)}`, { op: 'load', cause });
  }
}
