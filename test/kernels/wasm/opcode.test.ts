// The opcode table against the engine: every instruction validates with the operands, the result and the immediates that its entry says.
import { setFlagsFromString } from 'node:v8';
import { expect, test } from 'vitest';
import { buildModule } from '../../../kernels/wasm/binary.ts';
import { disassemble } from '../../../kernels/wasm/disassemble.ts';
import type {
  AtomicName,
  FunctionBuilder,
  LoadLaneName,
  LoadName,
  Node,
  StoreLaneName,
  StoreName,
} from '../../../kernels/wasm/function.ts';
import { type Opcode, type OpName, opcodes } from '../../../kernels/wasm/opcode.ts';

/** Written by statements of the builder, and tested with it. */
const control = ['unreachable', 'block', 'loop', 'if', 'else', 'end', 'br', 'br_if', 'br_table', 'return', 'call', 'drop', 'select'];
const ofBuilder = new Set<string>([...control, 'local.get', 'local.set', 'local.tee', 'v128.const']);
const names = (Object.keys(opcodes) as OpName[]).filter((name) => !ofBuilder.has(name));

/** The instruction with its operands from parameters, as the builder has it. */
function write(f: FunctionBuilder, name: OpName, args: readonly Node[]): Node | undefined {
  const { immediate, result } = opcodes[name] as Opcode;
  if (name.includes('atomic')) return f.atomic(name as AtomicName, args);
  switch (immediate) {
    case 'none':
      return f.op(name, ...args);
    case 'memory':
      if (result !== undefined) return f.load(name as LoadName, args[0]!, 300);
      f.store(name as StoreName, args[0]!, args[1]!, 300);
      return undefined;
    case 'memoryLane':
      if (result !== undefined) return f.loadLane(name as LoadLaneName, args[0]!, args[1]!, 1, 300);
      f.storeLane(name as StoreLaneName, args[0]!, args[1]!, 1, 300);
      return undefined;
    case 'lane': {
      const shape = name.slice(0, name.indexOf('.'));
      const sign = name.endsWith('_s') || name.endsWith('_u') ? name.slice(-2) : '';
      if (args.length === 1) return f.extractLane(`${shape}${sign}` as Parameters<FunctionBuilder['extractLane']>[0], 1, args[0]!);
      return f.replaceLane(shape as Parameters<FunctionBuilder['replaceLane']>[0], 1, args[0]!, args[1]!);
    }
    case 'shuffle':
      return f.shuffle(args[0]!, args[1]!, [0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 31]);
    case 'i32':
      return f.i32(-300);
    case 'i64':
      return f.i64(-300n);
    case 'f32':
      return f.f32(0.1);
    case 'f64':
      return f.f64(0.1);
    case 'memories':
      f.memoryCopy(args[0]!, args[1]!, args[2]!);
      return undefined;
    case 'zero':
      f.memoryFill(args[0]!, args[1]!, args[2]!);
      return undefined;
    default:
      throw new Error(`${name} is not tested`);
  }
}

test.each(names)('%s', (name) => {
  const { operands, result } = opcodes[name] as Opcode;
  const m = buildModule();
  m.importMemory('env', 'memory', { min: 1, max: 1, shared: true });
  m.function('f', operands, result === undefined ? [] : [result], (f) => {
    const value = write(
      f,
      name,
      operands.map((_, k) => f.param(k)),
    );
    if (value !== undefined) f.return_(value);
  });
  const { binary } = m.finish();
  if (name.includes('relaxed') && !WebAssembly.validate(binary)) setFlagsFromString('--experimental-wasm-relaxed-simd');
  expect(WebAssembly.validate(binary)).toBe(true);
  expect(disassemble(binary)).toMatch(new RegExp(`^ +${name.replaceAll('.', '\\.')}( |$)`, 'm'));
});
