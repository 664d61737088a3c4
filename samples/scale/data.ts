// Writes the excerpts to train on, one a row: `npx tsx samples/scale/data.ts run/train.safetensors`.
import { save, tensor } from 'fluxion';
import { codes, context } from './task.ts';

const [path = 'train.safetensors'] = process.argv.slice(2);
const starts = codes.slice(0, -context).map((_, start) => start);
const rows = (by: number): number[][] => starts.map((start) => codes.slice(start + by, start + by + context));

await save(path, { x: tensor(rows(0), { dtype: 'int32' }), y: tensor(rows(1), { dtype: 'int32' }) });
console.log(`${path}: ${starts.length} rows of ${context} characters`);
