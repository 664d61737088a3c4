// Weights from a .safetensors file that a declaration names, in place of those that its modules have at build time.
import { readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { bytesPerElement } from '../../runtime/dtype.ts';
import { elementsOf, readSafetensors, type StoredTensor } from '../../runtime/safetensors.ts';
import { BuildError, diagnosticOf } from './diagnostic.ts';
import type { RecordedEntry } from './entry.ts';
import type { BuiltWeight } from './model.ts';
import type { Sources } from './sources.ts';

/** The weights, with elements from the files that entries name. Throws BuildError at the declaration whose file does not match. */
export function storedWeights(weights: readonly BuiltWeight[], entries: readonly RecordedEntry[], { texts }: Sources): BuiltWeight[] {
  let current = [...weights];
  for (const { declaration, written } of entries) {
    if (declaration.weights === undefined) continue;
    const refuse = (message: string): BuildError =>
      new BuildError([{ file: written.file, line: written.line, column: written.column, code: 'BUILD', message }]);
    const stored = read(
      resolve(dirname(written.file), declaration.weights),
      (error) => new BuildError([diagnosticOf(error, texts, written)]),
    );
    const extra = [...stored.keys()].find((key) => !current.some((w) => w.key === key));
    if (extra !== undefined) throw refuse(`${declaration.weights} has a tensor '${extra}' that nothing here reads`);
    const missing = current.find((w) => isParameter(w) && !stored.has(w.key));
    if (missing !== undefined) throw refuse(`${declaration.weights} has no tensor '${missing.key}'`);
    current = current.map((w) => (stored.has(w.key) ? replaced(w, stored.get(w.key)!, declaration.weights!, refuse) : w));
  }
  return current;
}

/** What a state dict of modules would have; moments of optimisers and constants stay as they are. */
const isParameter = ({ key }: BuiltWeight): boolean => !/^(?:optimizer(?:_\d+)?\.|constant|captured)/.test(key);

function read(path: string, refused: (error: unknown) => BuildError): ReadonlyMap<string, StoredTensor> {
  try {
    return readSafetensors(readFileSync(path)).tensors;
  } catch (error) {
    throw refused(error);
  }
}

function replaced(weight: BuiltWeight, stored: StoredTensor, file: string, refuse: (message: string) => BuildError): BuiltWeight {
  const { key, dtype, shape } = weight;
  const given = elementsOf(stored);
  if (given?.dtype !== dtype || stored.shape.join() !== shape.join())
    throw refuse(
      `tensor '${key}' of ${file} is ${stored.dtype} [${stored.shape.join(', ')}], where the model has ${dtype.toUpperCase()} [${shape.join(', ')}]`,
    );
  const { elements } = given;
  // A window into a file that may be large: the weight gets bytes of its own.
  return { ...weight, data: elements.length * bytesPerElement[dtype] === elements.buffer.byteLength ? elements : elements.slice() };
}
