import { expect, test } from 'vitest';
import { rewired } from '../../../compiler/build/plugin/code.ts';

const request = { model: '/project/src/model.ts', part: undefined };
const files = new Set(['model.wasm.js', 'model.kernels.js', 'model.ab12.safetensors']);
const urlOf = (file: string) => ({ url: `urlOf(${file})`, top: `import '${file}';` });
const rewire = (code: string): string => rewired(code, request, files, urlOf);

test('files beside the module are reached through the model', () => {
  expect(
    rewire(`import { a } from './model.kernels.js';\nconst b = await import("./model.wasm.js");\nexport * from './model.wasm.js';`),
  ).toBe(
    `import { a } from "./model.ts?fluxion=model.kernels.js";\nconst b = await import("./model.ts?fluxion=model.wasm.js");\nexport * from "./model.ts?fluxion=model.wasm.js";`,
  );
});

test('assets get the URL of the bundler, and what it needs at the top', () => {
  expect(rewire(`f(new URL('./model.ab12.safetensors', import.meta.url));`)).toBe(
    `import 'model.ab12.safetensors';\nf(urlOf(model.ab12.safetensors));`,
  );
});

test('packages, strangers and what is said in text stay', () => {
  const code = `import 'fluxion/runtime';\nimport './other.js';\nconst doc = "see ./model.wasm.js";\nnew URL('./other.bin', import.meta.url);`;
  expect(rewire(code)).toBe(code);
});
