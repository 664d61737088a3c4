// A program that loads with workers and ends in the way its argument says.
import { DataLoader } from '../../compiler/frontend/data/index.ts';
import { faulty, numbers } from './dataForWorkers.ts';

const [how] = process.argv.slice(2);
if (how === 'abandoned') {
  const batches = new DataLoader(numbers(1000), { numWorkers: 2 })[Symbol.asyncIterator]();
  await batches.next();
  console.log('first');
} else {
  process.on('SIGINT', () => process.exit(130));
  for await (const _ of new DataLoader(faulty(10, 3, 'hangs'), { numWorkers: 2 })) console.log('batch');
}
