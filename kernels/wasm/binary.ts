// Builds a WebAssembly module and writes it as a binary: types, imports, functions, exports and names.
import { InternalError } from '../../runtime/errors.ts';
import { append, type Bytes, bytes, patchU32, pushByte, pushBytes, pushName, pushPadded, pushU32 } from './bytes.ts';
import { buildFunction, type FunctionBody, type FunctionBuilder, type FunctionRef } from './function.ts';
import { type Type, typeCodes } from './opcode.ts';

/** Sizes in pages of 64 KiB. Threads need `shared`. */
export type MemoryLimits = { readonly min: number; readonly max: number; readonly shared: boolean };

/** Bytes of a memory's limits in the binary: with a maximum, plain or shared. */
export const memoryFlag = { plain: 0x01, shared: 0x03 } as const;

export type FinishedModule = {
  readonly binary: Uint8Array<ArrayBuffer>;
  /** Where the memory's `memoryFlag` stands, for a loader that has only the other kind of memory. */
  readonly memoryFlagAt: number;
};

export type ModuleBuilder = {
  addImport(module: string, name: string, params: readonly Type[], results: readonly Type[]): FunctionRef;
  importMemory(module: string, name: string, limits: MemoryLimits): void;
  /** A function that can be called, and is defined later. */
  declare(name: string, params: readonly Type[], results: readonly Type[]): FunctionRef;
  define(fn: FunctionRef, body: (f: FunctionBuilder) => void): void;
  /** Declares and defines. */
  function(name: string, params: readonly Type[], results: readonly Type[], body: (f: FunctionBuilder) => void): FunctionRef;
  exportFunction(name: string, fn: FunctionRef): void;
  finish(): FinishedModule;
};

type Import = { readonly module: string; readonly name: string; readonly fn: FunctionRef };
type MemoryImport = { readonly module: string; readonly name: string; readonly limits: MemoryLimits };

/** What building one module gathers on its way. Functions keep their order of declaration, after the imports. */
type Building = {
  readonly imports: Import[];
  memory: MemoryImport | undefined;
  readonly functions: Map<FunctionRef, FunctionBody | undefined>;
  readonly exports: { readonly name: string; readonly fn: FunctionRef }[];
};

export function buildModule(): ModuleBuilder {
  const m: Building = { imports: [], memory: undefined, functions: new Map(), exports: [] };
  const declare = (name: string, params: readonly Type[], results: readonly Type[]): FunctionRef => {
    const fn = { name, params, results };
    m.functions.set(fn, undefined);
    return fn;
  };
  const define = (fn: FunctionRef, body: (f: FunctionBuilder) => void): void => {
    if (!m.functions.has(fn)) throw new InternalError(`${fn.name} is not of this module`);
    if (m.functions.get(fn) !== undefined) throw new InternalError(`${fn.name} is defined twice`);
    m.functions.set(fn, buildFunction(fn, body));
  };
  return {
    declare,
    define,
    addImport(module, name, params, results) {
      const fn = { name, params, results };
      m.imports.push({ module, name, fn });
      return fn;
    },
    importMemory(module, name, limits) {
      if (m.memory !== undefined) throw new InternalError('a module has one memory');
      m.memory = { module, name, limits };
    },
    function(name, params, results, body) {
      const fn = declare(name, params, results);
      define(fn, body);
      return fn;
    },
    exportFunction: (name, fn) => {
      m.exports.push({ name, fn });
    },
    finish: () => write(m),
  };
}

/** Functions by index, imports first, and the distinct signatures. */
function write(m: Building): FinishedModule {
  const index = new Map<FunctionRef, number>();
  for (const { fn } of m.imports) index.set(fn, index.size);
  for (const fn of m.functions.keys()) index.set(fn, index.size);
  const signatures = signaturesOf([...index.keys()]);
  const indexOf = (fn: FunctionRef): number => {
    const at = index.get(fn);
    if (at === undefined) throw new InternalError(`${fn.name} is not of this module`);
    return at;
  };

  const out = bytes(1 << 16);
  pushBytes(out, [0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00]);
  section(out, 1, () => {
    pushU32(out, signatures.distinct.length);
    for (const { params, results } of signatures.distinct) {
      pushByte(out, 0x60);
      for (const types of [params, results]) {
        pushU32(out, types.length);
        for (const type of types) pushByte(out, typeCodes[type]);
      }
    }
  });
  let memoryFlagAt = -1;
  section(out, 2, () => {
    pushU32(out, m.imports.length + (m.memory === undefined ? 0 : 1));
    for (const { module, name, fn } of m.imports) {
      pushName(out, module);
      pushName(out, name);
      pushByte(out, 0x00);
      pushU32(out, signatures.of(fn));
    }
    if (m.memory !== undefined) memoryFlagAt = writeMemory(out, m.memory);
  });
  section(out, 3, () => {
    pushU32(out, m.functions.size);
    for (const fn of m.functions.keys()) pushU32(out, signatures.of(fn));
  });
  section(out, 7, () => {
    pushU32(out, m.exports.length);
    for (const { name, fn } of m.exports) {
      pushName(out, name);
      pushByte(out, 0x00);
      pushU32(out, indexOf(fn));
    }
  });
  section(out, 10, () => {
    pushU32(out, m.functions.size);
    for (const [fn, body] of m.functions) {
      if (body === undefined) throw new InternalError(`${fn.name} is declared and not defined`);
      for (const { at, fn: callee } of body.calls) patchU32(body.code, at, indexOf(callee));
      pushU32(out, body.code.length);
      append(out, body.code);
    }
  });
  section(out, 0, () => writeNames(out, m, index));
  return { binary: out.data.slice(0, out.length), memoryFlagAt };
}

function signaturesOf(functions: readonly FunctionRef[]): { distinct: readonly FunctionRef[]; of(fn: FunctionRef): number } {
  const keyOf = (fn: FunctionRef): string => `${fn.params.join()}>${fn.results.join()}`;
  const distinct = new Map<string, { readonly index: number; readonly fn: FunctionRef }>();
  for (const fn of functions) {
    const key = keyOf(fn);
    if (!distinct.has(key)) distinct.set(key, { index: distinct.size, fn });
  }
  return { distinct: [...distinct.values()].map(({ fn }) => fn), of: (fn) => distinct.get(keyOf(fn))!.index };
}

/** A section's length stands before it and is known after it. */
function section(out: Bytes, id: number, content: () => void): void {
  pushByte(out, id);
  const at = pushPadded(out);
  const start = out.length;
  content();
  patchU32(out, at, out.length - start);
}

function writeMemory(out: Bytes, { module, name, limits }: MemoryImport): number {
  pushName(out, module);
  pushName(out, name);
  pushByte(out, 0x02);
  const flagAt = out.length;
  pushByte(out, limits.shared ? memoryFlag.shared : memoryFlag.plain);
  pushU32(out, limits.min);
  pushU32(out, limits.max);
  return flagAt;
}

/** The custom section that names functions (1) and locals (2) for debuggers, profilers and the disassembler. */
function writeNames(out: Bytes, m: Building, index: ReadonlyMap<FunctionRef, number>): void {
  pushName(out, 'name');
  section(out, 1, () => {
    pushU32(out, index.size);
    for (const [fn, at] of index) {
      pushU32(out, at);
      pushName(out, fn.name);
    }
  });
  const named = [...m.functions].filter(([, body]) => body !== undefined && body.names.size > 0);
  section(out, 2, () => {
    pushU32(out, named.length);
    for (const [fn, body] of named) {
      pushU32(out, index.get(fn)!);
      pushU32(out, body!.names.size);
      for (const [local, name] of body!.names) {
        pushU32(out, local);
        pushName(out, name);
      }
    }
  });
}
