// The commands of `fluxion`: one table, from which parsing and help follow. What a command needs is loaded when it runs.
import type { Commands, Option } from './arguments.ts';

const device: Option = { takes: 'NAME', help: 'run on this device (js, wasm, webgpu)' };
const json: Option = {
  help: 'print data: { programs: [{ graph, kernels: [{ name, flops, bytesRead, bytesWritten }], arenaBytes, liveBytes }] }',
};

const watch: Option = { help: 'run again whenever a file that a model is made of changes' };

export const commands: Commands = {
  build: {
    summary: 'Compiles what FILES declare with aot() ahead of time, and writes it as modules that need no compiler',
    options: {
      out: { takes: 'DIR', help: 'the folder to write to, which is empty or was written by fluxion; build by default' },
      weights: { takes: 'KIND', help: 'store weights as float32, float16 or int8; the loss is printed' },
      watch,
      json: {
        help: 'print data: { built: [{ file, name, files, sources, unchanged, report }], diagnostics: [{ file, line, column, code, message }] }',
      },
    },
    example: 'npx fluxion build model.ts --out build',
    takesFiles: true,
    run: async (invocation) => (await import('./build.ts')).build(invocation),
  },
  check: {
    summary: 'Checks shapes, dtypes and devices of what FILES declare with aot(), without data, and what cannot be built',
    options: {
      watch,
      json: { help: 'print data: { built: [{ file, functions }], diagnostics: [{ file, line, column, code, message }] }' },
    },
    example: 'npx fluxion check model.ts',
    takesFiles: true,
    run: async (invocation) => (await import('./check.ts')).check(invocation),
  },
  ir: {
    summary: 'Prints each distinct graph that FILE compiles, with the source line of each node',
    options: {
      stage: {
        takes: 'NAME',
        help: 'recorded (or joint), a pass (simplify, ..., dce or simplified, fuse or fused), loops (as lowered), scheduled (as emitted)',
      },
      diff: { help: 'what that stage changed; the last pass unless --stage names another' },
      device,
      json,
      dot: { help: 'a picture for Graphviz' },
      mermaid: { help: 'a picture for Markdown' },
      html: { help: 'a page with a column for each pass; a value is highlighted in all of them' },
      format: { takes: 'NAME', help: 'one of text, json, dot, mermaid, html, model-explorer' },
    },
    example: 'npx fluxion ir --stage fuse train.ts',
    run: async (invocation) => (await import('./ir.ts')).ir(invocation),
  },
  kernels: {
    summary: 'Prints the code generated for FILE: per kernel its flops and bytes, per Program its kernels, bytes moved and memory',
    options: {
      target: {
        takes: 'NAME',
        help: 'the code for this target: js prints JavaScript, wasm the loop nests and the WebAssembly (WAT), webgpu those and the WGSL',
      },
      why: { help: 'tell why neighbours were not fused' },
      device,
      json,
    },
    example: 'npx fluxion kernels --target wasm train.ts -- --epochs 1',
    run: async (invocation) => (await import('./kernels.ts')).kernels(invocation),
  },
  explain: {
    summary: 'Tells what became of each compiled function and why it was recorded again, and why neighbouring ops were not fused',
    options: {
      device,
      json: { help: 'print data: { functions: [{ name, calls, traces, specialisations, retraces }], programs: [{ name, unfused }] }' },
    },
    example: 'npx fluxion explain train.ts',
    run: async (invocation) => (await import('./explain.ts')).explain(invocation),
  },
  memory: {
    summary: 'Draws the arena over time: which intermediates lie where, the peak against the lower bound, and what is saved for backward',
    options: { device, json: { help: 'print data: { programs: [{ arenaBytes, liveBytes, launches, blocks, saved }] }' } },
    example: 'npx fluxion memory train.ts',
    run: async (invocation) => (await import('./memory.ts')).memory(invocation),
  },
  profile: {
    summary: "Times each kernel of FILE, with its share of the machine's limit",
    options: {
      trace: { takes: 'OUT.json', help: 'write Chrome trace events, which Perfetto and speedscope open' },
      device,
      json: { help: 'print data: { ms, limits, programs: [{ name, runs, ms, kernels }] }' },
    },
    example: 'npx fluxion profile --trace trace.json train.ts',
    run: async (invocation) => (await import('./profile.ts')).profile(invocation),
  },
  view: {
    summary: 'Writes one HTML file with everything: graph, passes, kernels beside the source, memory and time',
    options: { out: { takes: 'PATH', help: 'where to write it; NAME.html for NAME.ts by default' }, device },
    example: 'npx fluxion view --out report.html train.ts',
    run: async (invocation) => (await import('./view.ts')).view(invocation),
  },
  bisect: {
    summary: 'Compares what FILE computes with the float64 reference, and names the pass that changed a result',
    options: { device, json: { help: 'print data: { programs: [{ name, kind, passes, disagreement }] }' } },
    example: 'npx fluxion bisect train.ts',
    run: async (invocation) => (await import('./bisect.ts')).bisectCommand(invocation),
  },
  cache: {
    summary: 'Lists, checks or removes the compiled Programs that are kept on disk for later processes',
    options: {
      json: {
        help: 'print data: { folder, bytes, entries } of ls, { folder, removed, left } of clear, { folder, entries, damaged } of verify',
      },
    },
    example: 'npx fluxion cache ls',
    actions: ['ls', 'clear', 'verify'],
    run: async (invocation) => (await import('./cache.ts')).cache(invocation),
  },
  export: {
    summary:
      'Writes the training step of FILE (it calls exportStep) for JAX/XLA with the program that runs it, or its model (exportModel) as ONNX',
    options: {
      target: { takes: 'NAME', help: 'stablehlo (unless given) or onnx' },
      out: { takes: 'FOLDER', help: 'where step.mlir, init.safetensors, run.py and requirements.txt go, or model.onnx' },
    },
    example: 'npx fluxion export step.ts --target stablehlo --out run',
    run: async (invocation) => (await import('./export.ts')).exportCommand(invocation),
  },
  import: {
    summary: 'Turns what run.py trained (FILE is its final.safetensors) into weights by the names of a state dict',
    options: { out: { takes: 'PATH', help: 'weights.safetensors unless given; what the optimiser remembers goes beside it' } },
    example: 'npx fluxion import run/final.safetensors --out weights.safetensors',
    run: async (invocation) => (await import('./import.ts')).importCommand(invocation),
  },
  run: {
    summary: 'Calls a function of a built module (FILE is MODEL.js) with inputs from files',
    options: {
      entry: { takes: 'NAME', help: 'which function; the only one unless given' },
      input: {
        takes: 'NAME=FILE',
        help: 'an argument from a .npy, .json, .png or .jpg file; numbers as NAME=0.1; once for each',
        repeats: true,
      },
      target: { takes: 'NAME', help: 'where to run: wasm or js; the best that is there unless given' },
      weights: { takes: 'FILE', help: 'a safetensors file instead of the weights that the module was built with' },
      out: { takes: 'FILE', help: 'a .json file for the result, or a .npy file for each of its arrays; JSON is printed unless given' },
    },
    example: 'npx fluxion run build/model.js --input image=digit.png',
    run: async (invocation) => (await import('./run.ts')).run(invocation),
  },
  inspect: {
    summary: 'Prints what is in a built module (FILE is MODEL.js): its functions with their shapes, kernels, and sizes',
    options: {
      graph: { help: 'print the graphs as well, as recorded and as fused' },
      json: { help: 'print data: { name, source, entries: [{ name, signature, programs }], sizes }' },
    },
    example: 'npx fluxion inspect build/model.js',
    run: async (invocation) => (await import('./inspect.ts')).inspect(invocation),
  },
  doctor: {
    summary: 'Tells what this machine has of what Fluxion can use, what is missing, and how to get it',
    options: { json: { help: 'print data: { findings: [{ what, state, detail, fix }] }' } },
    example: 'npx fluxion doctor',
    takesNoFile: true,
    run: async (invocation) => (await import('./doctor.ts')).doctor(invocation),
  },
};
