// Trains a small network synchronously, in a process of its own, and prints the bytes held after the numbers of steps given as arguments.
import { mlpStep } from '../replay/steps.ts';

const step = mlpStep({ batch: 8, inputs: 16, hidden: 16, classes: 4 });
let done = 0;
const held = process.argv.slice(2).map((until) => {
  for (; done < Number(until); done++) {
    const loss = step();
    if (done % 100 === 99) loss.itemSync();
  }
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return heapUsed + arrayBuffers;
});
console.log(JSON.stringify(held));
