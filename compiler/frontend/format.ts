// Tensors as text, laid out as PyTorch prints them (torch/_tensor_str.py). Printing observes the tensor.
import { type DType, isFloat, type TypedArray } from '../../runtime/dtype.ts';
import { ArgumentError, AutogradError } from '../../runtime/errors.ts';
import { observe } from './boundary.ts';
import { dtypeName } from './dtypes.ts';
import { currentTrace, placeOfValue, recording } from './record.ts';
import type { Tensor } from './tensor.ts';

export type PrintOptions = {
  /** Digits after the point. */
  readonly precision: number;
  /** Tensors of more elements are summarised. */
  readonly threshold: number;
  /** Elements shown at either end of a summarised dimension. */
  readonly edgeitems: number;
  /** Columns of a line. */
  readonly linewidth: number;
};
let print: PrintOptions = { precision: 4, threshold: 1000, edgeitems: 3, linewidth: 80 };

/** How tensors are printed from now on; what is not given stays. As `torch.set_printoptions`. */
export function setPrintOptions(options: Partial<PrintOptions>): void {
  const next = { ...print, ...options };
  for (const [name, v] of Object.entries(next))
    if (!Number.isInteger(v) || v < 0 || (name === 'precision' && v > 40))
      throw new ArgumentError(`${name} ${String(v)} is no fitting count`, { op: 'setPrintOptions' });
  print = next;
}

type Elements = { readonly data: TypedArray; readonly shape: readonly number[]; readonly element: DType };
/** Writes one element, padded to the width of the widest. */
type Format = { readonly width: number; readonly write: (i: number) => string };

/** `tensor([1., 2.], requiresGrad=true)`. */
export function toText(t: Tensor): string {
  const prefix = 'tensor(';
  const trace = currentTrace();
  if (trace !== undefined && t.storage.born.trace === trace)
    return `${prefix}[${t.shape.join(', ')}], dtype=${dtypeName(t.element)}, under ${trace.op})`;
  if (placeOfValue(t.storage.value) === 'webgpu') {
    const what = `[${t.shape.join(', ')}], dtype=${dtypeName(t.element)}, device=webgpu`;
    return withSuffixes(
      prefix + what,
      [...suffixesOf(t).filter((s) => !s.startsWith('dtype') && !s.startsWith('size')), 'await data() for the elements'],
      prefix.length,
    );
  }
  const elements: Elements = { data: observe(recording(() => t.value())), shape: t.shape, element: t.element };
  const body = t.numel() === 0 ? '[]' : nested(elements, prefix.length);
  return withSuffixes(prefix + body, suffixesOf(t), prefix.length);
}

function suffixesOf(t: Tensor): string[] {
  const suffixes: string[] = [];
  const isEmpty = t.numel() === 0;
  if (isEmpty && t.ndim !== 1) suffixes.push(`size=(${t.shape.join(', ')})`);
  // The dtype is told where the elements do not show it.
  const shows = isEmpty ? t.element === 'f32' : t.element === 'f32' || t.element === 'i64' || t.element === 'bool';
  if (!shows) suffixes.push(`dtype=${dtypeName(t.element)}`);
  const history = historyOf(t);
  if (history !== undefined) suffixes.push(`gradFn=<${history}>`);
  else if (t.requiresGrad) suffixes.push('requiresGrad=true');
  return suffixes;
}

/** The name of its `gradFn`; of a view whose history is undefined (`edgeOf` in handle.ts says when), 'Invalid'. */
function historyOf(t: Tensor): string | undefined {
  try {
    return t.gradFn?.name;
  } catch (error) {
    if (error instanceof AutogradError) return 'Invalid';
    throw error;
  }
}

/** Suffixes go on the last line as long as it has room, then on lines of their own. */
function withSuffixes(text: string, suffixes: readonly string[], indent: number): string {
  let out = text;
  let column = text.length - text.lastIndexOf('\n') + 1;
  for (const suffix of suffixes) {
    const fits = column + suffix.length + 2 <= print.linewidth;
    out += fits ? `, ${suffix}` : `,\n${' '.repeat(indent)}${suffix}`;
    column = fits ? column + suffix.length + 2 : indent + suffix.length;
  }
  return `${out})`;
}

function nested(e: Elements, indent: number): string {
  const summarise = e.data.length > print.threshold;
  const strides = e.shape.map((_, i) => e.shape.slice(i + 1).reduce((n, d) => n * d, 1));
  const shownOf = (n: number): (number | undefined)[] =>
    summarise && n > 2 * print.edgeitems ? [...range(0, print.edgeitems), undefined, ...range(n - print.edgeitems, n)] : range(0, n);
  const shown = e.shape.map(shownOf);
  const format = formatOf(e, positions(shown, strides));
  const write = (axis: number, offset: number, column: number): string => {
    if (axis === e.shape.length) return format.write(offset);
    const items = shown[axis]!;
    const at = (i: number): number => offset + i * strides[axis]!;
    if (axis === e.shape.length - 1)
      return wrapped(
        items.map((i) => (i === undefined ? ' ...' : format.write(at(i)))),
        format.width,
        column,
      );
    const parts = items.map((i) => (i === undefined ? '...' : write(axis + 1, at(i), column + 1)));
    return `[${parts.join(`,${'\n'.repeat(e.shape.length - axis - 1)}${' '.repeat(column + 1)}`)}]`;
  };
  return write(0, 0, indent);
}
const range = (from: number, to: number): number[] => Array.from({ length: to - from }, (_, i) => from + i);

/** Flat positions of all elements that are shown. */
function positions(shown: readonly (readonly (number | undefined)[])[], strides: readonly number[]): number[] {
  let found = [0];
  shown.forEach((items, axis) => {
    found = found.flatMap((offset) => items.flatMap((i) => (i === undefined ? [] : [offset + i * strides[axis]!])));
  });
  return found;
}

/** A row of elements, broken into lines. */
function wrapped(items: readonly string[], width: number, indent: number): string {
  const perLine = Math.max(1, Math.floor((print.linewidth - indent) / (width + 2)));
  const lines: string[] = [];
  for (let i = 0; i < items.length; i += perLine) lines.push(items.slice(i, i + perLine).join(', '));
  return `[${lines.join(`,\n${' '.repeat(indent + 1)}`)}]`;
}

/** One notation for all elements that are shown: whole numbers, fixed point or scientific, by their range. */
function formatOf({ data, element }: Elements, at: readonly number[]): Format {
  if (!isFloat(element)) {
    const word = (i: number): string => (element === 'bool' ? (data[i] === 1 ? 'True' : 'False') : String(data[i]));
    return padded(word, at);
  }
  const values = at.map((i) => Number(data[i])).filter((v) => Number.isFinite(v) && v !== 0);
  const sizes = values.map(Math.abs);
  const [least, most] = sizes.reduce(([low, high], v) => [Math.min(low, v), Math.max(high, v)], [Infinity, 0]);
  const whole = values.every(Number.isInteger);
  const scientific = values.length > 0 && (most / least > 1000 || most > 1e8 || (!whole && least < 1e-4));
  const finite = (v: number): string =>
    scientific ? exponential(v) : whole ? `${v < 0 || Object.is(v, -0) ? '-' : ''}${Math.abs(v)}.` : fixedPoint(v);
  const word = (i: number): string => {
    const v = Number(data[i]);
    return Number.isNaN(v) ? 'nan' : v === Infinity ? 'inf' : v === -Infinity ? '-inf' : finite(v);
  };
  // Zeros and what is not finite do not count for the width, as in PyTorch.
  return padded(
    word,
    at.filter((i) => Number.isFinite(Number(data[i])) && Number(data[i]) !== 0),
  );
}

function padded(word: (i: number) => string, at: readonly number[]): Format {
  const width = at.reduce((w, i) => Math.max(w, word(i).length), 1);
  return { width, write: (i) => word(i).padStart(width) };
}

const fixedPoint = (v: number): string =>
  v === 0 && Object.is(v, -0) ? `-${(0).toFixed(print.precision)}` : halfEven((digits) => v.toFixed(digits));
/** Exponents have two digits at least. */
const exponential = (v: number): string => {
  const text = halfEven((digits) => v.toExponential(digits)).replace(/e([+-])(\d)$/, 'e$10$2');
  return Object.is(v, -0) ? `-${text}` : text;
};

/** Exact halves go to the even digit, as in Python; JavaScript rounds them up. Sixty digits tell an exact half from a near one. */
function halfEven(write: (digits: number) => string): string {
  const { precision } = print;
  const half = new RegExp(`^(-?\\d+\\.?\\d{${precision}})50*(e.*)?$`).exec(write(60));
  return half !== null && Number(half[1]!.at(-1)) % 2 === 0 ? half[1]! + (half[2] ?? '') : write(precision);
}
