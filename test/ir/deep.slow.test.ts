import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

const script = `
  import { b } from './compiler/ir/builder.ts';
  import { graphHash, sameGraph } from './compiler/ir/node.ts';
  import { parse } from './compiler/ir/parse.ts';
  import { print } from './compiler/ir/print.ts';
  import { verify } from './compiler/ir/verify.ts';

  function chain(length) {
    const x = b.input({ dtype: 'f32', shape: [2] });
    let v = x;
    for (let i = 0; i < length; i++) v = i % 3 === 0 ? b.add(v, x) : b.sin(v);
    v.node.name = 'last';
    return { inputs: [x], outputs: [v] };
  }
  function wide(length) {
    const x = b.input({ dtype: 'f32', shape: [2] });
    const parts = Array.from({ length }, () => b.sin(x));
    for (const p of parts) p.node.name = 'part';
    return { inputs: [x], outputs: [b.concat(parts, { axis: 0 }), ...parts] };
  }
  for (const graph of [chain(100_000), wide(20_000)]) {
    const text = print(graph);
    const again = parse(text);
    verify(again);
    if (print(again) !== text) throw new Error('the text does not read back');
    if (graphHash(again) !== graphHash(graph) || !sameGraph(again, graph)) throw new Error('the hash differs');
  }
  console.log('done');
`;

test('a chain of 100 000 nodes, and a node of 20 000 operands, print, read back, verify and hash on a small stack', () => {
  const root = fileURLToPath(new URL('../..', import.meta.url));
  const arguments_ = ['--stack-size=200', '--import', 'tsx', '--input-type=module', '--eval', script];
  expect(execFileSync(process.execPath, arguments_, { cwd: root, encoding: 'utf8' })).toBe('done\n');
}, 60_000);
