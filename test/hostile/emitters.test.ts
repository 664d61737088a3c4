// Names and places as payload, in everything that writes text for others to read: what is written differs in quoted text and in nothing else.
import { describe, expect, test } from 'vitest';
import { anatomyOf, dotOf, drawingOf, graphAt, inspectedGraph, mermaidOf, moduleText, passesPage } from '../../compiler/inspect/index.ts';
import { b } from '../../compiler/ir/builder.ts';
import type { Graph } from '../../compiler/ir/node.ts';
import { compileGraph } from '../../compiler/lower/compile.ts';
import { printModule } from '../../compiler/scale/stablehlo/module.ts';
import { parseKernel } from '../../kernels/parse.ts';
import { printKernel } from '../../kernels/print.ts';
import { jsTarget, type Target, wasmTarget, webgpuTarget } from '../../runtime/target.ts';

const hit = 'globalThis.pwned = true';
const payloads = [
  `\n${hit}\n`,
  `\r${hit}\r`,
  `\u2028${hit}\u2029`,
  `*/ ${hit}; /*`,
  `;) ${hit} (;`,
  `\`\${${hit}}\``,
  `"; ${hit}; "`,
  `"] ; ${hit} [`,
  `'; ${hit}; '`,
  `\\"; ${hit}`,
  `</script><script>${hit}</script>`,
  `<!-- ${hit}`,
  `"><img onerror="${hit}">`,
  `//# sourceMappingURL=data:,${hit}`,
  `\u202e${hit}`,
  `\ud800${hit}\udfff`,
  `x\0${hit}`,
];

/** A graph of several kernels in which everything that can have a name or a place has this one. */
function named(text: string): Graph {
  const x = b.input({ dtype: 'f32', shape: [3, 4] });
  const lr = b.slot({ dtype: 'f32' });
  const e = b.exp(x);
  const sum = b.sum(e, { axes: [1] });
  const product = b.dot(e, x, { contract: [[1, 1]], batch: [] });
  const scaled = b.mul(b.expand(lr, { shape: [3], at: [0] }), sum);
  for (const { node } of [x, lr, e, sum, product, scaled]) {
    node.name = text;
    node.loc = { site: text };
  }
  return { inputs: [x, lr], outputs: [scaled, product] };
}

/** Texts in double quotes are all alike. */
const withoutQuoted = (text: string): string => text.replace(/"(?:[^"\\]|\\[\s\S])*"/g, '""');
/** Identifiers may follow names, as far as a language allows such: they are all alike. */
const withoutNames = (text: string): string => text.replace(/[A-Za-z_]\w*/g, 'id');
/** Tags without what stands in and between them. */
const tagsOf = (html: string): string[] => [...html.matchAll(/<\/?[a-z][a-z0-9]*(?=[\s>/])|<!--/gi)].map(([tag]) => tag);

const written: { readonly [what: string]: (graph: Graph, text: string) => string } = {
  'WebAssembly, byte for byte': (graph, text) => compileGraph(graph, wasmTarget('madd'), { name: text }).module!.base64,
  'WebAssembly as text': (graph, text) => JSON.stringify(moduleText(compileGraph(graph, wasmTarget('madd'), { name: text }))),
  'WGSL without comments': (graph, text) =>
    compileGraph(graph, webgpuTarget, { name: text })
      .shaders!.modules.map(({ source }) => withoutNames(source.replace(/\/\/.*/g, '')))
      .join('\n'),
  DOT: (graph, text) => withoutNames(withoutQuoted(dotOf(drawingOf(graphAt(graph, jsTarget, 'fuse'), text)))),
  Mermaid: (graph, text) => withoutNames(mermaidOf(drawingOf(graphAt(graph, jsTarget, 'fuse'), text)).replace(/"[^"]*"/g, '""')),
  'tags of HTML': (graph, text) => {
    const stages = anatomyOf(inspectedGraph(text, graph, jsTarget)).stages;
    return tagsOf(passesPage(text, [{ name: text, stages }])).join('');
  },
  StableHLO: (graph, text) =>
    withoutQuoted(
      printModule(graph, {
        name: 'step',
        inputs: [{ role: `param:${text}`, notes: { text } }, { role: text }],
        outputs: [{ role: text }, { role: text }],
        notes: { text },
      }),
    ).replace(/ loc\(""(?::\d+:\d+)?\)/g, ''),
};

describe.each(Object.keys(written))('in %s', (what) => {
  const plain = written[what]!(named('plain'), 'plain');
  test.each(payloads)('%j changes nothing', (text) => {
    expect(written[what]!(named(text), text)).toBe(plain);
  });
});

test.each(payloads)('%j is read back from a loop nest as it was', (text) => {
  const nests: string[] = [];
  for (const target of [jsTarget, wasmTarget('madd')] satisfies Target[])
    compileGraph(named(text), target, {
      name: text,
      onKernel: (_, nest, scheduled) => void nests.push(printKernel(nest), printKernel(scheduled)),
    });
  expect(nests.join('')).toContain('comment');
  for (const nest of nests) expect(printKernel(parseKernel(nest))).toBe(nest);
});
