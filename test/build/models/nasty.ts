// Names that would become code, or change the prototype of objects, if they were taken for more than names. */ globalThis.pwned = 1; /*
import { aot, dim, nn, spec, type Tensor } from 'fluxion';

// biome-ignore lint/suspicious/noTemplateCurlyInString: it is what would become code
export const payload = "'`${globalThis.pwned = 1}*/\u2028globalThis.pwned = 2;\n//# sourceMappingURL=x\u202e</script>";
export const layers = new nn.ModuleDict({ constructor: new nn.Linear(2, 2), toString: new nn.Linear(2, 2) });
const [first, second] = [...layers.values()] as nn.Linear[];

/** A comment with a trap. *\/ globalThis.pwned = 3; /* */
export const run = aot(
  (given: Readonly<Record<string, Tensor>>, by: number) => {
    const sum = second!(first!(Object.values(given)[0]!.add(given[payload]!)));
    return JSON.parse('{"__proto__":0,"constructor":1}', (key, value) =>
      key === '' ? { ...value, [payload]: sum.mul(by), text: payload } : value,
    );
  },
  {
    inputs: {
      [payload]: Object.fromEntries([
        ['__proto__', spec([dim(payload, { sizes: [1, 3] }), 2])],
        [payload, spec([2])],
      ]),
      constructor: 'number' as const,
    },
    targets: ['wasm', 'js'],
  },
);
