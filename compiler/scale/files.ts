// Files of an export: each appears whole or not at all, and none before all are known.
import { existsSync, readFileSync } from 'node:fs';
import { mkdir, open, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ArgumentError, InternalError } from '../../runtime/errors.ts';

/** The program that runs a step; from dist/ it lies among the sources, which are shipped too. */
export function runner(): Uint8Array {
  for (const path of ['./run.py', '../../../compiler/scale/run.py']) {
    const file = fileURLToPath(new URL(path, import.meta.url));
    if (existsSync(file)) return new Uint8Array(readFileSync(file));
  }
  throw new InternalError('the package lacks run.py', { op: 'exportStep' });
}

/** Writes files into a folder, which is made if need be. Throws ArgumentError, and leaves what was there, where that fails. */
export async function writeFiles(folder: string, files: ReadonlyMap<string, Uint8Array>): Promise<void> {
  const written: string[] = [];
  try {
    await mkdir(folder, { recursive: true });
    for (const [name, bytes] of files) {
      const temporary = join(folder, `.${name}.${process.pid}.tmp`);
      written.push(temporary);
      const file = await open(temporary, 'w');
      await file
        .writeFile(bytes)
        .then(() => file.sync())
        .finally(() => file.close());
    }
    for (const [name] of files) await rename(join(folder, `.${name}.${process.pid}.tmp`), join(folder, name));
  } catch (cause) {
    for (const path of written) await rm(path, { force: true });
    const { message } = cause as Error;
    throw new ArgumentError(`${folder} cannot be written: ${message}`, { op: 'exportStep', cause });
  }
}
