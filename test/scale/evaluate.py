"""Evaluates StableHLO modules for the tests: reads a folder of cases and writes the results of each, or why it failed.

Each case is NAME.mlir with NAME.safetensors (`input:0`, ...); NAME.out.safetensors (`output:0`, ...) or NAME.error comes of it.
"""
import glob, importlib.util, os, sys
import numpy as np

spec = importlib.util.spec_from_file_location('run', sys.argv[1])
run = importlib.util.module_from_spec(spec)
spec.loader.exec_module(run)
import jax

for path in sorted(glob.glob(os.path.join(sys.argv[2], '*.mlir'))):
    base = path.removesuffix('.mlir')
    try:
        step = run.Step(path)
        arrays, _ = run.read_safetensors(base + '.safetensors')
        outs = jax.jit(step.bind({'data': 1}))(*(np.asarray(arrays[a.role]) for a in step.inputs))
        run.write_safetensors(base + '.out.safetensors', {o.role: np.asarray(x) for o, x in zip(step.outputs, outs)}, {})
    except Exception as error:
        with open(base + '.error', 'w') as f:
            f.write(f'{type(error).__name__}: {error}')
