// Writes one instruction: its opcode, then what its opcode says that it carries.
import { type Bytes, pushByte, pushBytes, pushF32Bits, pushF64Bits, pushS32, pushS64, pushU32 } from './bytes.ts';
import type { Immediate } from './node.ts';
import { emptyBlock, type Opcode } from './opcode.ts';

export function pushInstruction(code: Bytes, op: Opcode, value: Immediate): void {
  pushOpcode(code, op);
  pushImmediate(code, op, value);
}

function pushOpcode(code: Bytes, op: Opcode): void {
  pushByte(code, op.prefix);
  if (op.prefix !== op.code || op.prefix >= 0xfc) pushU32(code, op.code);
}

function pushImmediate(code: Bytes, op: Opcode, value: Immediate): void {
  switch (op.immediate) {
    case 'none':
      break;
    case 'block':
      pushByte(code, emptyBlock);
      break;
    case 'label':
    case 'local':
      pushU32(code, value as number);
      break;
    case 'labels': {
      const labels = value as readonly number[];
      pushU32(code, labels.length - 1);
      for (const label of labels) pushU32(code, label);
      break;
    }
    case 'function':
      // `call` leaves room for the index.
      break;
    case 'i32':
      pushS32(code, value as number);
      break;
    case 'i64':
      pushS64(code, value as bigint);
      break;
    case 'f32':
      pushF32Bits(code, value as number);
      break;
    case 'f64':
      pushF64Bits(code, value as bigint);
      break;
    case 'lane':
      pushByte(code, value as number);
      break;
    case 'v128':
    case 'shuffle':
      pushBytes(code, value as Uint8Array | readonly number[]);
      break;
    case 'memory':
      pushU32(code, op.align);
      pushU32(code, value as number);
      break;
    case 'memoryLane': {
      const [offset, lane] = value as readonly [number, number];
      pushU32(code, op.align);
      pushU32(code, offset);
      pushByte(code, lane);
      break;
    }
    case 'memories':
      pushBytes(code, [0, 0]);
      break;
    case 'zero':
      pushByte(code, 0);
      break;
    default:
      op.immediate satisfies never;
  }
}
