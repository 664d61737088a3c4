// Guards as text: what a specialisation relies on, which guard a call fails, and what it found instead.
import { isGradEnabled, isInferenceModeEnabled } from '../autograd/mode.ts';
import { defaultTarget } from '../device.ts';
import { dtypeName } from '../dtypes.ts';
import { requiresGradOf } from '../handle.ts';
import { isTensor, type Rest } from '../pytree.ts';
import { isKept } from '../storage.ts';
import { type Found, fits, holds, isPlain, ownerIn } from './guards.ts';
import { argumentsAt, sizesText } from './sizes.ts';
import type { ArgumentGuard, Guards, Owner, Segment, Specialisation } from './tree.ts';

/** A guard that failed, for people. */
export type Mismatch = { readonly guard: string; readonly expected: string; readonly actual: string };

const nameOf = (owner: object): string => {
  const name: unknown = (Object.getPrototypeOf(owner) as { constructor?: { name?: unknown } } | null)?.constructor?.name;
  return typeof name === 'string' && name !== '' ? name : 'object';
};
const textOf = (value: unknown): string => {
  if (isTensor(value)) return `a tensor ${dtypeName(value.element)}[${value.shape}]`;
  if (typeof value === 'function' || (typeof value === 'object' && value !== null)) return `a ${nameOf(value)}`;
  return typeof value === 'string' ? JSON.stringify(value) : String(value);
};
const ownerText = (of: Owner, names: readonly string[]): string => ('found' in of ? (names[of.found] ?? 'a gradient') : textOf(of.tensor));

/** What the arguments that hold tensors are called: `args[0].x`. */
export function pathsOf(rest: Rest): string[] {
  const names: string[] = [];
  const visit = (r: Rest, path: string): void => {
    if (r.kind === 'tensor') names[r.index] = path;
    else if (r.kind === 'list') r.items.forEach((x, i) => void visit(x, `${path}[${i}]`));
    else if (r.kind === 'record') r.items.forEach((x, i) => void visit(x, `${path}.${r.keys[i]}`));
  };
  visit(rest, 'args');
  return names;
}

/** The first guard of a specialisation that these arguments fail. */
export function mismatch(s: Specialisation, args: readonly unknown[]): Mismatch | undefined {
  const differs = (guard: string, expected: unknown, actual: unknown): Mismatch => ({
    guard,
    expected: textOf(expected),
    actual: textOf(actual),
  });
  if (s.target !== defaultTarget()) return differs('the device', s.target.name, defaultTarget().name);
  if (s.gradMode !== isGradEnabled()) return differs('the grad mode', s.gradMode, isGradEnabled());
  if (s.inference !== isInferenceModeEnabled()) return differs('the inference mode', s.inference, isInferenceModeEnabled());
  const found: Found = [];
  const structure = structureMismatch(s.rest, args, 'args', found);
  if (structure !== undefined) return structure;
  const names = pathsOf(s.rest);
  for (const [i, g] of (argumentsAt(s, found) ?? s.arguments).entries()) {
    const [t, name] = [found[i]!, names[i]!];
    if (t.element !== g.dtype) return differs(`dtype of ${name}`, dtypeName(g.dtype), dtypeName(t.element));
    if (t.shape.length !== g.shape.length) return differs(`dimensions of ${name}`, g.shape.length, t.shape.length);
    const d = g.shape.findIndex((n, axis) => n !== t.shape[axis]);
    if (d >= 0) return differs(`size of dimension ${d} of ${name}`, g.shape[d], t.shape[d]);
    if (t.device !== g.device) return differs(`device of ${name}`, g.device, t.device);
    if (requiresGradOf(t) !== g.requiresGrad) return differs(`requiresGrad of ${name}`, g.requiresGrad, requiresGradOf(t));
    if ((t.via !== undefined) !== g.isView) return differs(`whether ${name} is a view`, g.isView, t.via !== undefined);
    if ((isKept(t.storage) ? t : undefined) !== g.itself)
      return { guard: name, expected: g.itself === undefined ? 'a tensor that is no state' : 'the same state', actual: 'another tensor' };
    const first = found.findIndex((u) => u!.storage === t.storage);
    if (first !== g.alias) {
      return differs(`storage of ${name}`, `as of ${names[g.alias]}`, `as of ${names[first]}`);
    }
  }
  return guardMismatch(s.root.guards, found, names);
}

function structureMismatch(rest: Rest, value: unknown, path: string, found: Found): Mismatch | undefined {
  const differs = (expected: string): Mismatch => ({ guard: `the argument ${path}`, expected, actual: textOf(value) });
  switch (rest.kind) {
    case 'tensor':
      return fits(rest, value, found) ? undefined : differs('a tensor');
    case 'static':
      return fits(rest, value, found) ? undefined : differs(textOf(rest.value));
    case 'list':
      if (!Array.isArray(value)) return differs('a list');
      if (value.length !== rest.items.length)
        return { guard: `length of ${path}`, expected: String(rest.items.length), actual: String(value.length) };
      for (const [i, item] of rest.items.entries()) {
        const inner = structureMismatch(item, (value as unknown[])[i], `${path}[${i}]`, found);
        if (inner !== undefined) return inner;
      }
      return undefined;
    case 'record': {
      if (!isPlain(value)) return differs('an object');
      const keys = Object.keys(value);
      if (keys.length !== rest.keys.length || !rest.keys.every((k) => Object.hasOwn(value, k)))
        return { guard: `keys of ${path}`, expected: rest.keys.join(', '), actual: keys.join(', ') };
      for (const [i, item] of rest.items.entries()) {
        const inner = structureMismatch(item, value[rest.keys[i]!], `${path}.${rest.keys[i]}`, found);
        if (inner !== undefined) return inner;
      }
      return undefined;
    }
  }
}

/** The first guard of a segment that fails. */
export function guardMismatch(g: Guards, found: Found, names: readonly string[]): Mismatch | undefined {
  let at = g.from;
  for (const { of, present, requiresGrad } of g.gradients) {
    const { gradient } = ownerIn(of, found);
    const name = `grad of ${ownerText(of, names)}`;
    if ((gradient !== null) !== present) return { guard: name, expected: present ? 'there' : 'null', actual: present ? 'null' : 'there' };
    if (gradient === null) continue;
    found[at++] = gradient;
    if (requiresGradOf(gradient) !== requiresGrad)
      return { guard: `requiresGrad of the ${name}`, expected: String(requiresGrad), actual: String(!requiresGrad) };
  }
  for (const { tensor, dtype, device, requiresGrad } of g.captured) {
    const name = `the captured ${textOf(tensor)}`;
    if (tensor.device !== device) return { guard: `device of ${name}`, expected: device, actual: tensor.device };
    if (tensor.element !== dtype) return { guard: `dtype of ${name}`, expected: dtypeName(dtype), actual: dtypeName(tensor.element) };
    if (requiresGradOf(tensor) !== requiresGrad)
      return { guard: `requiresGrad of ${name}`, expected: String(requiresGrad), actual: String(!requiresGrad) };
  }
  for (const { owner, what, read, value } of g.state) {
    const now = read();
    if (!Object.is(now, value)) return { guard: `${what} of a ${nameOf(owner)}`, expected: textOf(value), actual: textOf(now) };
  }
  return holds(g, found) ? undefined : { guard: 'shared storage', expected: 'as recorded', actual: 'another sharing' };
}

/** What guards say, each as a line. */
export function guardTexts(g: Guards, names: readonly string[]): string[] {
  return [
    ...g.gradients.map(({ of, present }) => `grad of ${ownerText(of, names)} is ${present ? 'there' : 'null'}`),
    ...g.captured.map(({ tensor, requiresGrad }) => `captured ${textOf(tensor)}${requiresGrad ? ' requires grad' : ''}`),
    ...g.state.map(({ owner, what, value }) => `${what} of a ${nameOf(owner)} is ${textOf(value)}`),
    ...(g.apart.size > 0 ? [`no argument shares storage with ${g.apart.size} captured tensors`] : []),
  ];
}

export const argumentText = ({ dtype, shape, requiresGrad, isView }: ArgumentGuard): string =>
  `${dtypeName(dtype)}[${shape}]${requiresGrad ? ' requires grad' : ''}${isView ? ' as a view' : ''}`;

export const mismatchText = (m: Mismatch | undefined): string =>
  m === undefined ? 'nothing differs now' : `${m.guard}: expected ${m.expected}, got ${m.actual}`;

/** A compiled function as messages call it. */
export const titleOf = ({ name, at }: { readonly name: string; readonly at: string | undefined }): string =>
  `compile(${name})${at === undefined ? '' : ` at ${at}`}`;

/** What a specialisation was recorded for, and its tree. */
export function specialisationText(s: Specialisation): string {
  const names = pathsOf(s.rest);
  const head = [
    `for ${s.target.name}, grad mode ${s.gradMode ? 'on' : 'off'}${s.inference ? ', inference mode' : ''}`,
    ...s.arguments.map((g, i) => `${names[i]}: ${argumentText(g)}${g.alias < i ? `, sharing storage with ${names[g.alias]}` : ''}`),
    ...staticsOf(s.rest),
    ...(s.open === undefined ? [] : [`one program for dimension ${s.open.axis} of ${names[s.open.argument]} of ${sizesText(s.open)}`]),
    ...(s.closed === undefined ? [] : [`for this size alone: ${s.closed}`]),
  ];
  return [...head, ...treeLines(s.root, names)].map((line) => `  ${line}`).join('\n');
}

/** Arguments that are no tensors. */
function staticsOf(rest: Rest): string[] {
  const lines: string[] = [];
  const visit = (r: Rest, path: string): void => {
    if (r.kind === 'static') lines.push(`${path} is ${textOf(r.value)}`);
    else if (r.kind === 'list') r.items.forEach((x, i) => void visit(x, `${path}[${i}]`));
    else if (r.kind === 'record') r.items.forEach((x, i) => void visit(x, `${path}.${r.keys[i]}`));
  };
  visit(rest, 'args');
  return lines;
}

/** A segment and what follows, each branch further in. A chain of any length is walked. */
function treeLines(root: Segment, names: readonly string[]): string[] {
  const lines: string[] = [];
  const stack: { segment: Segment; value: number | undefined }[] = [{ segment: root, value: undefined }];
  for (let top = stack.pop(); top !== undefined; top = stack.pop()) {
    const { segment, value } = top;
    const indent = '  '.repeat(segment.depth);
    const ops = segment.structure?.nodes.length ?? 0;
    lines.push(`${indent}${value === undefined ? '' : `${value} -> `}segment of ${ops} ops, ${endText(segment)}`);
    for (const guard of guardTexts(segment.guards, names)) lines.push(`${indent}  if ${guard}`);
    if (segment.end.kind === 'branch')
      for (const b of [...segment.end.branches].reverse()) stack.push({ segment: b.segment, value: b.value });
  }
  return lines;
}

export function endText({ end }: Segment): string {
  switch (end.kind) {
    case 'branch':
      return `looks at a number${end.at === undefined ? '' : ` at ${end.at}`}`;
    case 'finish':
      return `finishes with ${end.finish.results.length} results${end.finish.backward === undefined ? '' : ' and their backward'}, ${end.finish.stored.length} values stored`;
    case 'open':
      return `goes on as ordinary recording: ${end.why}${end.at === undefined ? '' : ` at ${end.at}`}${end.fix === undefined ? '' : ` (${end.fix})`}`;
  }
}
