// Elements in memory: how those of each dtype are read from and written to bound buffers, scratch and private arrays.
import { InternalError } from '../../runtime/errors.ts';
import { type Code, element, infix, integer, invoke, prefix, primary } from './code.ts';
import { type ShaderDType, shaderDType, typeOf, wordsOf } from './scalar.ts';
import { type Bound, bindingOf, line, type Scope, type Store } from './scope.ts';

export function storeOf(e: Scope, buffer: string): Store {
  const store = e.stores.get(e.bindings.buffers.get(buffer) ?? buffer);
  if (store === undefined) throw new InternalError(`${buffer} is not in scope`, { op: 'emit', fix: `kernel ${e.kernel.name}` });
  return store;
}

const sum = (a: Code, b: Code): Code => (b.text === '0' ? a : a.text === '0' ? b : infix(a, '+', b));

/** A field of the launch's block. */
export function launchField(e: Scope, name: string): Code {
  e.used.add(bindingOf.launch);
  return primary(`launch.${name}`);
}

/** A pair of words, by the place of the first. */
function loadPair(e: Scope, bound: Bound, word: Code): Code {
  e.used.add(bound.binding);
  e.pairsRead.add(bound);
  return invoke(`${bound.id}_pair`, word);
}

function savePair(e: Scope, bound: Bound, word: Code, value: Code): void {
  e.used.add(bound.binding);
  e.pairsWritten.add(bound);
  line(e, `${bound.id}_set_pair(${word.text}, ${value.text});`);
}

/** The index in the arena of a word of scratch. */
function scratchIndex(e: Scope, { dtype, at, each }: Extract<Store, { kind: 'scratch' }>, index: Code): Code {
  const base = sum(launchField(e, 'scratch'), integer(at));
  const own = each === undefined ? base : sum(base, infix(primary(e.invocation), '*', integer(each)));
  return sum(own, doubled(index, dtype));
}

/** The word at which an element begins, of those before which all have its size. */
const doubled = (index: Code, dtype: Store['dtype']): Code =>
  wordsOf(dtype) === 1 || index.text === '0' ? index : infix(index, '*', integer(wordsOf(dtype)));

function wordOf(e: Scope, bound: Bound, index: Code): Code {
  e.used.add(bound.binding);
  const word = element(bound.id, index);
  return bound.element === 'atomic<u32>' ? invoke('atomicLoad', prefix('&', word)) : word;
}

/** A word as a value. Bools in words are 0 or 1. */
function fromWord(word: Code, dtype: ShaderDType): Code {
  switch (dtype) {
    case 'f32':
      return invoke('bitcast<f32>', word);
    case 'i32':
    case 'u8':
      return invoke('bitcast<i32>', word);
    case 'bool':
      return infix(word, '!=', primary('0u'));
    case 'i64':
      throw new InternalError('an i64 is two words', { op: 'emit' });
    default:
      return dtype satisfies never;
  }
}

function toWord(value: Code, dtype: ShaderDType): Code {
  return dtype === 'bool' ? invoke('u32', value) : invoke('bitcast<u32>', value);
}

const isByte = (dtype: ShaderDType): boolean => dtype === 'u8' || dtype === 'bool';

export function load(e: Scope, store: Store, index: Code): Code {
  const dtype = shaderDType(store.dtype);
  switch (store.kind) {
    case 'private':
      return element(store.id, index);
    case 'scratch':
      return dtype === 'i64'
        ? loadPair(e, e.arena, scratchIndex(e, store, index))
        : fromWord(wordOf(e, e.arena, scratchIndex(e, store, index)), dtype);
    case 'bound': {
      const { buffer, offset } = store;
      const at = offset === undefined ? index : sum(launchField(e, offset), index);
      e.used.add(buffer.binding);
      if (isByte(dtype)) {
        e.bytesRead.add(buffer);
        const byte = invoke(`${buffer.id}_byte`, at);
        return dtype === 'bool' ? infix(byte, '!=', primary('0u')) : invoke('i32', byte);
      }
      if (buffer.element === typeOf[dtype]) return element(buffer.id, at);
      return dtype === 'i64' ? loadPair(e, buffer, doubled(at, dtype)) : fromWord(wordOf(e, buffer, at), dtype);
    }
    default:
      return store satisfies never;
  }
}

export function save(e: Scope, store: Store, index: Code, value: Code): void {
  const dtype = shaderDType(store.dtype);
  switch (store.kind) {
    case 'private':
      line(e, `${store.id}[${index.text}] = ${value.text};`);
      return;
    case 'scratch':
      if (dtype === 'i64') savePair(e, e.arena, scratchIndex(e, store, index), value);
      else saveWord(e, e.arena, scratchIndex(e, store, index), toWord(value, dtype));
      return;
    case 'bound': {
      const { buffer, offset } = store;
      const at = offset === undefined ? index : sum(launchField(e, offset), index);
      e.used.add(buffer.binding);
      if (isByte(dtype)) {
        e.bytesWritten.add(buffer);
        line(e, `${buffer.id}_set_byte(${at.text}, ${invoke('u32', value).text});`);
      } else if (buffer.element === typeOf[dtype]) {
        line(e, `${buffer.id}[${at.text}] = ${value.text};`);
      } else if (dtype === 'i64') {
        savePair(e, buffer, doubled(at, dtype), value);
      } else {
        saveWord(e, buffer, at, toWord(value, dtype));
      }
      return;
    }
    default:
      store satisfies never;
  }
}

function saveWord(e: Scope, bound: Bound, index: Code, word: Code): void {
  e.used.add(bound.binding);
  const place = `${bound.id}[${index.text}]`;
  line(e, bound.element === 'atomic<u32>' ? `atomicStore(&${place}, ${word.text});` : `${place} = ${word.text};`);
}

/** Access to single bytes. Neighbours in a word may have other writers, hence the atomics. */
export function byteAccess(bound: Bound, isRead: boolean, isWritten: boolean): readonly string[] {
  const word = `${bound.id}[at >> 2u]`;
  const shift = '((u32(at) & 3u) << 3u)';
  const loaded = bound.element === 'atomic<u32>' ? `atomicLoad(&${word})` : word;
  const read = `fn ${bound.id}_byte(at: i32) -> u32 { return (${loaded} >> ${shift}) & 255u; }`;
  const write = [
    `fn ${bound.id}_set_byte(at: i32, value: u32) {`,
    `  atomicAnd(&${word}, ~(255u << ${shift}));`,
    `  atomicOr(&${word}, value << ${shift});`,
    '}',
  ];
  return [...(isRead ? [read] : []), ...(isWritten ? write : [])];
}

/** Access to pairs of words, each by the place of its first. */
export function pairAccess(bound: Bound, isRead: boolean, isWritten: boolean): readonly string[] {
  const isAtomic = bound.element === 'atomic<u32>';
  const word = (at: string): string => (isAtomic ? `atomicLoad(&${bound.id}[${at}])` : `${bound.id}[${at}]`);
  const set = (at: string, value: string): string =>
    isAtomic ? `atomicStore(&${bound.id}[${at}], ${value});` : `${bound.id}[${at}] = ${value};`;
  const read = `fn ${bound.id}_pair(at: i32) -> vec2<u32> { return vec2(${word('at')}, ${word('at + 1')}); }`;
  const write = [`fn ${bound.id}_set_pair(at: i32, value: vec2<u32>) {`, `  ${set('at', 'value.x')}`, `  ${set('at + 1', 'value.y')}`, '}'];
  return [...(isRead ? [read] : []), ...(isWritten ? write : [])];
}
