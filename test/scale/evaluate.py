"""Evaluates StableHLO modules for the tests: reads a folder of cases and writes the results of each, or why it failed.

Each case is NAME.mlir with NAME.safetensors (`input:0`, ...); NAME.out.safetensors (`output:0`, ...) or NAME.error comes of it.
"""
import glob, importlib.util, os, sys
import numpy as np

spec = importlib.util.spec_from_file_location('run', sys.argv[1])
run = importlib.util.module_from_spec(spec)
spec.loader.exec_module(run)
import jax


def evaluate(bases):
    """Several modules in one compilation, whose fixed costs are most of it."""
    steps = [run.Step(f'{base}.mlir') for base in bases]
    arrays = [run.read_safetensors(f'{base}.safetensors')[0] for base in bases]
    calls = [step.bind({'data': 1}) for step in steps]
    outs = jax.jit(lambda xs: [call(*x) for call, x in zip(calls, xs)])([[np.asarray(a[i.role]) for i in s.inputs] for s, a in zip(steps, arrays)])
    for base, step, results in zip(bases, steps, outs):
        run.write_safetensors(f'{base}.out.safetensors', {o.role: np.asarray(x) for o, x in zip(step.outputs, results)}, {})


bases = [path.removesuffix('.mlir') for path in sorted(glob.glob(os.path.join(sys.argv[2], '*.mlir')))]
for i in range(0, len(bases), 16):
    group = bases[i:i + 16]
    try:
        evaluate(group)
    except Exception:
        for base in group:
            try:
                evaluate([base])
            except Exception as error:
                with open(f'{base}.error', 'w') as f:
                    f.write(f'{type(error).__name__}: {error}')
