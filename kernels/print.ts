// The text form of kernels: what lowering made, as people read it and as parse.ts reads it back.
//
//   kernel @softmax(x: read f32[40], y: write f32[40]) {
//     par i: 4 {
//       var m = -inf_f32
//       serial j: 10 { m max= x[i*10 + j] }
//
// Operands carry no dtype: literals do, names have that of their declaration, and functions follow their rule. Sizes are written #n,
// what is computed from them #(#n*3), slots $0.
import { literalText } from './literal.ts';
import type { Condition, Expr, Extent, Kernel, Position, Stmt, Transpose } from './loop.ts';
import { summandsOf } from './position.ts';
import type { ScalarName } from './scalar.ts';

export function printKernel(k: Kernel): string {
  const params = k.params.map((p) => `${p.name}: ${p.access} ${p.dtype}[${extentText(p.length)}]`).join(', ');
  const slots = k.slots.length === 0 ? '' : ` slots(${k.slots.join(', ')})`;
  const bounds = (k.sizes ?? []).map(({ size, least, most }) => `#${size}: ${least} to ${most}`);
  const sizes = bounds.length === 0 ? '' : ` sizes(${bounds.join(', ')}) `;
  const lines = [`kernel @${k.name}${sizes}(${params})${slots} {`];
  for (const c of k.comment) lines.push(`  comment ${JSON.stringify(c)}`);
  for (const s of k.body) printStatement(s, 1, lines);
  lines.push('}');
  return `${lines.join('\n')}\n`;
}

/** Statements alone, for messages and tests of schedules. */
export function printStatements(body: readonly Stmt[], depth = 0): string {
  const lines: string[] = [];
  for (const s of body) printStatement(s, depth, lines);
  return lines.map((l) => `${l}\n`).join('');
}

const extentText = (e: Extent): string =>
  typeof e === 'number' ? String(e) : e.of === undefined ? `#${e.size}` : `#(${positionText(e.of)})`;
const assignments: Readonly<Partial<Record<ScalarName, string>>> = { add: '+=', sub: '-=', mul: '*=', div: '/=' };
const assignment = (fn: ScalarName): string => assignments[fn] ?? `${fn}=`;

function printStatement(s: Stmt, depth: number, lines: string[]): void {
  const put = (text: string): void => void lines.push('  '.repeat(depth) + text);
  const body = (statements: readonly Stmt[]): void => {
    for (const t of statements) printStatement(t, depth + 1, lines);
  };
  switch (s.kind) {
    case 'loop':
      put(`${s.mode} ${s.axis}: ${extentText(s.extent)}${s.step === undefined ? '' : ` step ${s.step}`} {`);
      body(s.body);
      put('}');
      return;
    case 'let':
      put(`let ${s.name} = ${expressionText(s.value)}`);
      return;
    case 'var':
      put(`var ${s.name} = ${expressionText(s.init)}`);
      return;
    case 'assign':
      put(`${s.name} = ${expressionText(s.value)}`);
      return;
    case 'accumulate':
      put(`${s.name} ${assignment(s.fn)} ${expressionText(s.value)}`);
      return;
    case 'scratch':
      put(`scratch ${s.name}: ${s.dtype}[${extentText(s.length)}]${s.init === undefined ? '' : ` = ${expressionText(s.init)}`}`);
      return;
    case 'store':
      put(`${s.buffer}[${positionText(s.at)}] = ${expressionText(s.value)}`);
      return;
    case 'update':
      put(`${s.buffer}[${positionText(s.at)}] ${assignment(s.fn)} ${expressionText(s.value)}`);
      return;
    case 'if':
      put(`if ${expressionText(s.test)} {`);
      body(s.then);
      if (s.else.length > 0) {
        put('} else {');
        body(s.else);
      }
      put('}');
      return;
    case 'check':
      put(`check ${expressionText(s.value)} below ${extentText(s.below)} for ${JSON.stringify(s.op)}`);
      return;
    case 'members':
      put(`members (${[...s.buffers.map((b) => `${b.name}: ${b.access} ${b.dtype}`), ...s.sizes.map((n) => `#${n}`)].join(', ')}) of [`);
      for (const row of s.rows) put(`  (${[...row.buffers, ...row.sizes.map(String)].join(', ')})`);
      put('] {');
      body(s.body);
      put('}');
      return;
    case 'library':
      put(`library ${s.routine}(${s.buffers.join(', ')}) extents(${s.extents.map(extentText).join(', ')}) flags(${s.flags.join(', ')})`);
      return;
    case 'product': {
      const { a, b, c } = s;
      const into = `${c.buffer}[${positionText(c.at)}] row ${c.row} ${s.from === 'zero' ? '=' : '+='}`;
      const left = `${a.buffer}[${positionText(a.at)}] k ${a.k} row ${a.row} ${a.spread}`;
      put(`product ${into} ${left} * ${b.buffer}[${positionText(b.at)}] k ${b.k} over (${s.rows}, ${s.columns}, ${extentText(s.depth)})`);
      return;
    }
    case 'transpose': {
      const place = ({ buffer, at, row }: Transpose['to']): string => `${buffer}[${positionText(at)}] row ${row}`;
      put(`transpose ${place(s.to)} = ${place(s.from)} over (${s.rows}, ${s.columns})`);
      return;
    }
    default:
      s satisfies never;
  }
}

/** Functions written between their operands, with their precedence. */
export const infixes: Readonly<Partial<Record<ScalarName, readonly [symbol: string, precedence: number]>>> = {
  eq: ['==', 1],
  ne: ['!=', 1],
  lt: ['<', 1],
  le: ['<=', 1],
  add: ['+', 2],
  sub: ['-', 2],
  mul: ['*', 3],
  div: ['/', 3],
};

export function expressionText(e: Expr, precedence = 0): string {
  switch (e.kind) {
    case 'literal':
      return literalText(e);
    case 'ref':
      return e.name;
    case 'slot':
      return `$${e.index}`;
    case 'load':
      return `${e.buffer}[${positionText(e.at)}]`;
    case 'position':
      return `position.${e.dtype}(${positionText(e.at)})`;
    case 'call': {
      const symbol = infixes[e.fn];
      if (symbol === undefined) return `${e.fn}(${e.args.map((a) => expressionText(a)).join(', ')})`;
      const text = `${expressionText(e.args[0]!, symbol[1])} ${symbol[0]} ${expressionText(e.args[1]!, symbol[1] + 1)}`;
      return symbol[1] < precedence ? `(${text})` : text;
    }
    case 'cast':
      return `${e.dtype}(${expressionText(e.value)})`;
    case 'bitcast':
      return `bitcast.${e.dtype}(${expressionText(e.value)})`;
    case 'choose':
      return `choose(${conditionText(e.when)}, ${expressionText(e.then)}, ${expressionText(e.else)})`;
    default:
      return e satisfies never;
  }
}

const conditionText = (when: Condition): string =>
  when.length === 0 ? 'always' : when.map(({ at, below }) => `0 <= ${positionText(at)} < ${extentText(below)}`).join(' & ');

/** Positions bind as in arithmetic; div and mod bind as * does. */
function positionText(p: Position, precedence = 0): string {
  const parenthesised = (text: string, own: number): string => (own < precedence ? `(${text})` : text);
  switch (p.kind) {
    case 'const':
      return extentText(p.value);
    case 'axis':
      return p.axis;
    case 'add':
    case 'mul': {
      const summands = summandsOf(p);
      if (p.kind === 'mul' && !summands[0]!.isNegative) return parenthesised(`${positionText(p.a, 1)}*${extentText(p.by)}`, 1);
      const text = summands.map(
        ({ isNegative, term }, i) => `${isNegative ? (i === 0 ? '-' : '- ') : i === 0 ? '' : '+ '}${positionText(term, 1)}`,
      );
      return parenthesised(text.join(' '), 0);
    }
    case 'div':
      return parenthesised(`${positionText(p.a, 1)} div ${extentText(p.by)}`, 1);
    case 'mod':
      return parenthesised(`${positionText(p.a, 1)} mod ${extentText(p.by)}`, 1);
    case 'value':
      return `value(${expressionText(p.value)})`;
    default:
      return p satisfies never;
  }
}
