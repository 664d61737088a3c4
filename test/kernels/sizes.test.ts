// Kernels whose extents are open until the launch: their text, and what schedules make of them.
import { describe, expect, test } from 'vitest';
import { parseKernel } from '../../kernels/parse.ts';
import { printKernel } from '../../kernels/print.ts';
import { scheduleProducts } from '../../kernels/schedule/product.ts';
import { verifyKernel } from '../../kernels/verify.ts';

/** The text with its first indentation taken away. */
const plain = (text: string): string => {
  const lines = text.split('\n').slice(1);
  const indent = /^ */.exec(lines[0]!)![0].length;
  return lines.map((line) => line.slice(indent)).join('\n');
};

describe('text', () => {
  const text = plain(`
    kernel @k sizes(#n: 2 to 64) (x: read f32[#(#n*4)], y: write f32[#n]) slots(f32) {
      par i: #n {
        var sum = 0_f32
        serial j: #(#n div 8) {
          sum += x[i*4 + j mod #n]
        }
        if position.i32(#(#n mod 8)) == 3_i32 {
          y[-i + #n - 1] = sum
        }
      }
    }
    `);
  test('sizes, and what is computed from them, are read back as they are printed', () => {
    const kernel = parseKernel(text);
    verifyKernel(kernel);
    expect(printKernel(kernel)).toBe(text);
  });
  test('bounds of what is computed follow from those of the sizes', () => {
    const [loop] = parseKernel(text).body;
    const inner = loop?.kind === 'loop' ? loop.body[1] : undefined;
    expect(inner?.kind === 'loop' ? inner.extent : undefined).toMatchObject({ least: 0, most: 8 });
  });
});

describe('products', () => {
  const nest = (rows: string, columns: string, depth: string): string => `
    kernel @dot sizes(#n: 2 to 64) (x: read f32[1], y: read f32[1], z: write f32[1]) {
      par i: ${rows} {
        par j: ${columns} {
          var acc = 0_f32
          serial k: ${depth} {
            acc += x[i*${depth} + k] * y[k*${columns} + j]
          }
          z[i*${columns} + j] = acc
        }
      }
    }
    `;
  const scheduled = (text: string): string =>
    printKernel(scheduleProducts(parseKernel(text), { tile: { rows: 3, columns: 8, spread: 'load' }, threads: 1 }));
  test('of open rows are whole tiles, and the one part that fits what is left', () => {
    expect(scheduled(nest('#n', '8', '5'))).toBe(
      plain(`
      kernel @dot sizes(#n: 2 to 64) (x: read f32[1], y: read f32[1], z: write f32[1]) {
        par i_panel: #(#n div 3) {
          product z[i_panel*24] row 8 = x[i_panel*15] k 1 row 5 load * y[0] k 8 over (3, 8, 5)
        }
        if position.i32(#(#n mod 3)) == 1_i32 {
          product z[#n div 3*24] row 8 = x[#n div 3*15] k 1 row 5 load * y[0] k 8 over (1, 8, 5)
        }
        if position.i32(#(#n mod 3)) == 2_i32 {
          product z[#n div 3*24] row 8 = x[#n div 3*15] k 1 row 5 load * y[0] k 8 over (2, 8, 5)
        }
      }
      `),
    );
  });
  test('of an open depth run to it', () => {
    expect(scheduled(nest('3', '8', '#n'))).toContain('over (3, 8, #n)');
  });
  test('of open columns alone are products of the transposed', () => {
    expect(scheduled(nest('8', '#n', '5'))).toContain('over (3, 8, 5)');
  });
});
