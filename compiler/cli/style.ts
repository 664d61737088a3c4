// Colour for terminals only; NO_COLOR, and terminals that know none, are left alone.
import { plain, type Style } from '../inspect/index.ts';

const sgr = (code: number) => (text: string) => `\u001b[${code}m${text}\u001b[0m`;

export const styleOf = (stream: NodeJS.WriteStream): Style =>
  stream.isTTY && stream.hasColors() ? { heading: sgr(1), aside: sgr(2), added: sgr(32), removed: sgr(31) } : plain;
