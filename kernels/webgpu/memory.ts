// Elements in memory: how those of each dtype are read from and written to bound buffers, scratch and private arrays.
import { InternalError } from '../../runtime/errors.ts';
import { type Code, element, infix, integer, invoke, prefix, primary } from './code.ts';
import { type ShaderDType, shaderDType } from './scalar.ts';
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

/** The index in the arena of a word of scratch. */
function scratchIndex(e: Scope, { at, each }: Extract<Store, { kind: 'scratch' }>, index: Code): Code {
  const base = sum(launchField(e, 'scratch'), integer(at));
  const own = each === undefined ? base : sum(base, infix(primary(e.invocation), '*', integer(each)));
  return sum(own, index);
}

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
      return fromWord(wordOf(e, e.arena, scratchIndex(e, store, index)), dtype);
    case 'bound': {
      const { buffer, offset } = store;
      const at = offset === undefined ? index : sum(launchField(e, offset), index);
      e.used.add(buffer.binding);
      if (isByte(dtype)) {
        e.bytesRead.add(buffer);
        const byte = invoke(`${buffer.id}_byte`, at);
        return dtype === 'bool' ? infix(byte, '!=', primary('0u')) : invoke('i32', byte);
      }
      return buffer.element === dtype ? element(buffer.id, at) : fromWord(wordOf(e, buffer, at), dtype);
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
      saveWord(e, e.arena, scratchIndex(e, store, index), toWord(value, dtype));
      return;
    case 'bound': {
      const { buffer, offset } = store;
      const at = offset === undefined ? index : sum(launchField(e, offset), index);
      e.used.add(buffer.binding);
      if (isByte(dtype)) {
        e.bytesWritten.add(buffer);
        line(e, `${buffer.id}_set_byte(${at.text}, ${invoke('u32', value).text});`);
      } else if (buffer.element === dtype) {
        line(e, `${buffer.id}[${at.text}] = ${value.text};`);
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
