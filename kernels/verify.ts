// Checks a kernel: every name is in scope and of the dtype it is used at, functions get what they take, writes go where they may.
import { type DType, isFloat, isInteger } from '../runtime/dtype.ts';
import { IRError } from '../runtime/errors.ts';
import { isLiteral } from './literal.ts';
import { type Expr, type Extent, type Kernel, type Position, type Product, productDTypes, type Stmt, type Transpose } from './loop.ts';
import { expressionText } from './print.ts';
import { type Routine, routines, routineText } from './routines.ts';
import { type ScalarName, scalar } from './scalar.ts';
import { mostOf } from './size.ts';

type Binding =
  | { readonly kind: 'axis' }
  | { readonly kind: 'let' | 'var'; readonly dtype: DType }
  | { readonly kind: 'buffer'; readonly dtype: DType; readonly access: 'read' | 'write' | 'update' };

type Scope = {
  readonly kernel: Kernel;
  readonly names: Map<string, Binding>;
};

/** Throws an IRError that names the kernel and the offending piece. */
export function verifyKernel(kernel: Kernel): void {
  const scope: Scope = { kernel, names: new Map() };
  if (!isName(kernel.name)) throw broken(scope, `'${kernel.name}' is no identifier`);
  for (const p of kernel.params) {
    checkExtent(scope, p.length);
    bind(scope, p.name, { kind: 'buffer', dtype: p.dtype, access: p.access });
  }
  checkBody(scope, kernel.body);
}

const isName = (name: string): boolean => /^[A-Za-z_]\w*$/.test(name);
const broken = (scope: Scope, what: string): IRError => new IRError(`kernel ${scope.kernel.name}: ${what}`, { op: 'verify' });

function bind(scope: Scope, name: string, binding: Binding): void {
  if (!isName(name)) throw broken(scope, `'${name}' is no identifier`);
  if (scope.names.has(name)) throw broken(scope, `${name} is declared twice`);
  scope.names.set(name, binding);
}

/** Names declared in a body end with it. */
function checkBody(scope: Scope, body: readonly Stmt[]): void {
  const declared: string[] = [];
  for (const s of body) {
    checkStatement(scope, s);
    if (s.kind === 'let' || s.kind === 'var' || s.kind === 'scratch') declared.push(s.name);
  }
  for (const name of declared) scope.names.delete(name);
}

function checkStatement(scope: Scope, s: Stmt): void {
  switch (s.kind) {
    case 'loop':
      checkExtent(scope, s.extent);
      if (s.step !== undefined && !(Number.isInteger(s.step) && s.step > 0)) throw broken(scope, `the step of ${s.axis} is ${s.step}`);
      bind(scope, s.axis, { kind: 'axis' });
      checkBody(scope, s.body);
      scope.names.delete(s.axis);
      return;
    case 'let':
      checkExpr(scope, s.value);
      bind(scope, s.name, { kind: 'let', dtype: s.value.dtype });
      return;
    case 'var':
      checkExpr(scope, s.init);
      bind(scope, s.name, { kind: 'var', dtype: s.init.dtype });
      return;
    case 'assign':
      checkExpr(scope, s.value);
      same(scope, variable(scope, s.name), s.value, s.name);
      return;
    case 'accumulate':
      checkExpr(scope, s.value);
      checkCombine(scope, s.fn, variable(scope, s.name), s.value, s.name);
      return;
    case 'scratch':
      checkExtent(scope, s.length);
      if (s.init !== undefined) {
        checkExpr(scope, s.init);
        same(scope, s.dtype, s.init, s.name);
      }
      bind(scope, s.name, { kind: 'buffer', dtype: s.dtype, access: 'update' });
      return;
    case 'store':
      checkPosition(scope, s.at);
      checkExpr(scope, s.value);
      same(scope, written(scope, s.buffer), s.value, s.buffer);
      return;
    case 'update':
      checkPosition(scope, s.at);
      checkExpr(scope, s.value);
      checkCombine(scope, s.fn, written(scope, s.buffer), s.value, s.buffer);
      return;
    case 'if':
      checkExpr(scope, s.test);
      if (s.test.dtype !== 'bool') throw broken(scope, `if ${expressionText(s.test)} is ${s.test.dtype}, not bool`);
      checkBody(scope, s.then);
      checkBody(scope, s.else);
      return;
    case 'check':
      checkExpr(scope, s.value);
      checkExtent(scope, s.below);
      if (!isInteger(s.value.dtype)) throw broken(scope, `check takes an integer, not ${s.value.dtype}`);
      return;
    case 'members':
      checkMembers(scope, s);
      return;
    case 'library':
      checkRoutine(scope, s);
      return;
    case 'product':
      checkProduct(scope, s);
      return;
    case 'transpose':
      checkTranspose(scope, s);
      return;
    default:
      s satisfies never;
  }
}

/** Each row names a buffer of the right dtype and access for each name, and a size for each size. */
function checkMembers(scope: Scope, s: Extract<Stmt, { kind: 'members' }>): void {
  for (const row of s.rows) {
    if (row.buffers.length !== s.buffers.length || row.sizes.length !== s.sizes.length)
      throw broken(scope, 'a row of members does not fit its head');
    row.buffers.forEach((name, i) => {
      const { dtype, access } = s.buffers[i]!;
      const found = access === 'read' ? buffer(scope, name).dtype : written(scope, name);
      if (found !== dtype) throw broken(scope, `member ${name} is ${found}, not ${dtype}`);
    });
    for (const n of row.sizes) checkExtent(scope, n);
  }
  for (const b of s.buffers) bind(scope, b.name, { kind: 'buffer', dtype: b.dtype, access: b.access });
  checkBody(scope, s.body);
  for (const b of s.buffers) scope.names.delete(b.name);
}

function checkRoutine(scope: Scope, s: Extract<Stmt, { kind: 'library' }>): void {
  const { reads, writes, extents, flags }: Routine = routines[s.routine];
  const kinds = Object.values(writes);
  if (s.buffers.length !== reads.length + kinds.length || s.extents.length !== extents.length || s.flags.length !== flags.length)
    throw broken(scope, routineText(s.routine));
  for (const e of s.extents) checkExtent(scope, e);
  const dtype = buffer(scope, s.buffers[0]!).dtype;
  for (const name of s.buffers.slice(1, reads.length))
    if (buffer(scope, name).dtype !== dtype) throw broken(scope, `${s.routine} reads ${dtype} from ${name}`);
  for (const [i, kind] of kinds.entries()) {
    const name = s.buffers[reads.length + i]!;
    if (kind === 'integer' ? !isInteger(written(scope, name)) : written(scope, name) !== dtype)
      throw broken(scope, `${s.routine} writes ${kind === 'integer' ? 'integers' : dtype} into ${name}`);
  }
}

function checkProduct(scope: Scope, { rows, columns, depth, a, b, c }: Product): void {
  if ([rows, columns, mostOf(depth)].some((n) => !(Number.isInteger(n) && n > 0)))
    throw broken(scope, `a product over ${rows}, ${columns}, ${mostOf(depth)}`);
  if ([a.k, a.row, b.k, c.row].some((n) => !Number.isSafeInteger(n))) throw broken(scope, 'strides of a product are integers');
  if (a.spread === 'shuffle' && a.row !== 1) throw broken(scope, `rows of ${a.buffer} are not neighbours`);
  const dtype = written(scope, c.buffer);
  if (!productDTypes.some((d) => d === dtype)) throw broken(scope, `no products of ${dtype}`);
  for (const operand of [a, b]) {
    const found = buffer(scope, operand.buffer).dtype;
    if (found !== dtype) throw broken(scope, `${operand.buffer} is ${found}, not ${dtype}`);
    if (operand.buffer === c.buffer) throw broken(scope, `a product reads ${c.buffer} and writes it`);
  }
  for (const { at } of [a, b, c]) checkPosition(scope, at);
}

function checkTranspose(scope: Scope, { rows, columns, to, from }: Transpose): void {
  if ([rows, columns].some((n) => !(Number.isInteger(n) && n > 0))) throw broken(scope, `a transposition over ${rows}, ${columns}`);
  if ([to.row, from.row].some((n) => !Number.isSafeInteger(n))) throw broken(scope, 'rows of a transposition lie integers apart');
  const found = buffer(scope, from.buffer).dtype;
  if (written(scope, to.buffer) !== found) throw broken(scope, `${from.buffer} is ${found}, not ${buffer(scope, to.buffer).dtype}`);
  if (to.buffer === from.buffer) throw broken(scope, `a transposition reads ${to.buffer} and writes it`);
  for (const { at } of [to, from]) checkPosition(scope, at);
}

function checkExtent(scope: Scope, e: Extent): void {
  if (typeof e === 'number' ? !(Number.isSafeInteger(e) && e >= 0) : !(isName(e.size) || e.of !== undefined)) {
    throw broken(scope, `${typeof e === 'number' ? e : e.size} is no extent`);
  }
}

function lookup(scope: Scope, name: string): Binding {
  const found = scope.names.get(name);
  if (found === undefined) throw broken(scope, `${name} is not in scope`);
  return found;
}

function variable(scope: Scope, name: string): DType {
  const found = lookup(scope, name);
  if (found.kind !== 'var') throw broken(scope, `${name} is no var`);
  return found.dtype;
}

function buffer(scope: Scope, name: string): Extract<Binding, { kind: 'buffer' }> {
  const found = lookup(scope, name);
  if (found.kind !== 'buffer') throw broken(scope, `${name} is no buffer`);
  return found;
}

function written(scope: Scope, name: string): DType {
  const found = buffer(scope, name);
  if (found.access === 'read') throw broken(scope, `${name} may only be read`);
  return found.dtype;
}

function same(scope: Scope, dtype: DType, value: Expr, place: string): void {
  if (value.dtype !== dtype) throw broken(scope, `${place} is ${dtype}, but ${expressionText(value)} is ${value.dtype}`);
}

function checkCombine(scope: Scope, fn: ScalarName, dtype: DType, value: Expr, place: string): void {
  same(scope, dtype, value, place);
  const rule = scalar[fn].dtype;
  if (scalar[fn].arity !== 2 || rule === 'compare') throw broken(scope, `${fn} does not combine values`);
  checkRule(scope, fn, [dtype, dtype], dtype);
}

function checkExpr(scope: Scope, e: Expr): void {
  switch (e.kind) {
    case 'literal':
      if (!isLiteral(e)) throw broken(scope, `a literal of ${e.dtype} has too many bits`);
      return;
    case 'ref': {
      const found = lookup(scope, e.name);
      if (found.kind !== 'let' && found.kind !== 'var') throw broken(scope, `${e.name} is no scalar`);
      if (found.dtype !== e.dtype) throw broken(scope, `${e.name} is ${found.dtype}, not ${e.dtype}`);
      return;
    }
    case 'slot':
      if (scope.kernel.slots[e.index] !== e.dtype) throw broken(scope, `slot ${e.index} is ${scope.kernel.slots[e.index]}, not ${e.dtype}`);
      return;
    case 'load': {
      const found = buffer(scope, e.buffer);
      if (found.dtype !== e.dtype) throw broken(scope, `${e.buffer} is ${found.dtype}, not ${e.dtype}`);
      checkPosition(scope, e.at);
      return;
    }
    case 'position':
      checkPosition(scope, e.at);
      return;
    case 'call':
      if (e.args.length !== scalar[e.fn].arity) throw broken(scope, `${e.fn} takes ${scalar[e.fn].arity} operands`);
      for (const a of e.args) checkExpr(scope, a);
      checkRule(scope, e.fn, dtypesOf(e.args), e.dtype);
      return;
    case 'cast':
    case 'bitcast':
      checkExpr(scope, e.value);
      return;
    case 'choose':
      for (const bound of e.when) {
        checkPosition(scope, bound.at);
        checkExtent(scope, bound.below);
      }
      checkExpr(scope, e.then);
      checkExpr(scope, e.else);
      if (e.then.dtype !== e.dtype || e.else.dtype !== e.dtype) throw broken(scope, `the branches of ${expressionText(e)} differ in dtype`);
      return;
    default:
      e satisfies never;
  }
}

const dtypesOf = (args: readonly Expr[]): DType[] => args.map((a) => a.dtype);

/** Whether operands and result of a function have the dtypes that its rule asks for. */
function checkRule(scope: Scope, fn: ScalarName, args: readonly DType[], result: DType): void {
  const rule = scalar[fn].dtype;
  const [first] = args as [DType];
  const equal = args.every((d) => d === first);
  const fits = (): boolean => {
    switch (rule) {
      case 'same':
        return equal && result === first && first !== 'bool';
      case 'float':
        return equal && result === first && isFloat(first);
      case 'compare':
        return equal && result === 'bool';
      case 'logical':
        return equal && first === 'bool' && result === 'bool';
      case 'bits':
        return equal && result === first && !isFloat(first);
      case 'select':
        return first === 'bool' && args[1] === result && args[2] === result;
      default:
        return rule satisfies never;
    }
  };
  if (!fits()) throw broken(scope, `${fn} does not take ${args.join(', ')} to ${result}`);
}

function checkPosition(scope: Scope, p: Position): void {
  switch (p.kind) {
    case 'const':
      return;
    case 'axis':
      if (lookup(scope, p.axis).kind !== 'axis') throw broken(scope, `${p.axis} is no axis`);
      return;
    case 'add':
      checkPosition(scope, p.a);
      checkPosition(scope, p.b);
      return;
    case 'mul':
      checkPosition(scope, p.a);
      return;
    case 'div':
    case 'mod':
      if (typeof p.by === 'number' && !(Number.isSafeInteger(p.by) && p.by > 0)) throw broken(scope, `${p.kind} by ${p.by}`);
      checkPosition(scope, p.a);
      return;
    case 'value':
      checkExpr(scope, p.value);
      if (!isInteger(p.value.dtype)) throw broken(scope, `a position of ${p.value.dtype}`);
      return;
    default:
      p satisfies never;
  }
}
