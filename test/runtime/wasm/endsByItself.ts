// A program that shares work with threads and then comes to its end, for a test that sees whether the process does too.
import { hostBuffer } from '../../../runtime/buffer.ts';
import { bindWasm, makeMachine } from '../../../runtime/wasm/execute.ts';
import { openMemory } from '../../../runtime/wasm/memory.ts';
import { isReady, makeThreads } from '../../../runtime/wasm/threads.ts';
import { relay } from './programs.ts';

const machine = makeMachine(openMemory(), () => () => {}, makeThreads(2));
const executable = bindWasm(relay(4096), machine);
const x = hostBuffer('f32', new Float32Array(4096));
const run = (): unknown => executable.execute([x], Float64Array.of(-1));
run();
// Without yielding: workers come to life while this thread is busy.
while (!isReady(machine.threads.pool!)) run();
for (let step = 0; step < 10; step++) run();
console.log('at the end');
