# Runs one call in PyTorch and keeps what it gave: the record that the other scripts collect, and the file they write.
#
# The scripts beside this one are run by hand (`python test/oracle/elementwise.py`, PyTorch 2.14), never in CI; the data they
# write is committed. All numbers are made here, none is random, so a second run writes the same bytes.
#
# A file of cases is { torch, cases }, `torch` being the version that gave them. A case is one call, on one line:
#
#   { name, fn, inputs, args, outputs, grads }    or    { name, fn, inputs, args, error }
#
#   name     unique in its file; says what is special about the case
#   fn       the function in Fluxion's spelling (PyTorch's in camelCase): `logSoftmax`. In-place methods end in `_`.
#   inputs   its tensors in PyTorch's order; null where an optional one is left out. A function of a list (`cat`, `stack`) has the
#            list here; `einsum` has its equation in args.
#   args     everything else by name, in Fluxion's spelling: { "dim": 1, "keepdim": true }. `other` is a second operand that is a
#            number. `operands: "list"` says that the inputs form one list.
#   outputs  what it returned, always a list
#   grads    gradients of the inputs, null for inputs without one; absent if nothing was differentiated. The cotangent of element k
#            (row-major) of each floating output is (k mod 7 + 1) / 4.
#   error    first line of PyTorch's message: the call must be refused. The wording is not part of the contract.
#
# A tensor is { dtype, shape, data }, data flat and row-major. Numbers are the shortest that read back as the same float32 or float64;
# what JSON cannot say is a string: "NaN", "Infinity", "-Infinity", "-0", and integers beyond 2^53.
import json
import math
import os
import re

import numpy as np
import torch

torch.set_num_threads(1)
torch.use_deterministic_algorithms(True)

VERSION = torch.__version__.split('+')[0]
DTYPES = {
    torch.float32: 'float32',
    torch.float64: 'float64',
    torch.int32: 'int32',
    torch.int64: 'int64',
    torch.uint8: 'uint8',
    torch.bool: 'bool',
}
SPECIAL = [0.0, -0.0, 1.0, -1.0, 0.5, -0.5, 2.5, -2.5, 1e-20, -1e-20, 1e20, math.inf, -math.inf, math.nan]


def number(x, dtype):
    if dtype == torch.bool:
        return bool(x)
    if not dtype.is_floating_point:
        return int(x) if abs(int(x)) <= 2**53 else str(int(x))
    if math.isnan(x):
        return 'NaN'
    if math.isinf(x):
        return 'Infinity' if x > 0 else '-Infinity'
    if x == 0 and math.copysign(1, x) < 0:
        return '-0'
    short = float(str(np.float32(x))) if dtype == torch.float32 else float(x)
    return int(short) if short == int(short) and abs(short) < 1e15 else short


def tensor_data(t):
    if t is None:
        return None
    t = t.detach()
    return {'dtype': DTYPES[t.dtype], 'shape': list(t.shape), 'data': [number(x, t.dtype) for x in t.reshape(-1).tolist()]}


def values(*shape, dtype=torch.float32, seed=0, low=-2.0, high=2.0):
    """Numbers without ties, spread over [low, high], the same on every machine; in steps of 1/1024 so that they stay short and exact."""
    count = math.prod(shape)
    spread = [((k + seed) * 0.6180339887498949 + seed * 0.37) % 1.0 for k in range(count)]
    steps = [round((low + (high - low) * u) * 1024) / 1024 for u in spread]
    return torch.tensor(steps, dtype=torch.float64).to(dtype).reshape(shape)


def tensor(data, dtype=torch.float32):
    return torch.tensor(data, dtype=dtype)


def camel(name):
    return re.sub(r'(?<=[a-z0-9])_([a-z0-9])', lambda m: m.group(1).upper(), name)


def plain(value):
    if isinstance(value, torch.dtype):
        return DTYPES[value]
    if isinstance(value, (list, tuple)):
        return [plain(v) for v in value]
    if isinstance(value, float):
        return number(value, torch.float64)
    return value


def cotangent(t):
    return ((torch.arange(t.numel()) % 7 + 1).to(t.dtype) / 4).reshape(t.shape)


def first_line(error):
    return str(error).strip().split('\n')[0]


class Cases:
    """Collects cases and writes them to `<name>.json` beside the script."""

    def __init__(self, name):
        self.path = os.path.join(os.path.dirname(os.path.abspath(__file__)), f'{name}.json')
        self.cases = []

    def add(self, fn, inputs, call=None, name=None, grad=True, list_operand=False, args=None, **options):
        """`fn` in PyTorch's spelling; `call(*inputs)` if it is not `fn(*inputs, **options)`. `grad`: whether, or for which inputs, to differentiate."""
        call = call or self.lookup(fn, list_operand, options)
        wanted = [t is not None and t.is_floating_point() and (grad is True or (grad is not False and i in grad)) for i, t in enumerate(inputs)]
        leaves = [None if t is None else t.detach().clone().requires_grad_(w) for t, w in zip(inputs, wanted)]
        described = {camel(k): plain(v) for k, v in {**options, **(args or {})}.items()}
        if list_operand:
            described['operands'] = 'list'
        record = {'name': self.unique(name or self.title(fn, inputs, described)), 'fn': camel(fn), 'inputs': [tensor_data(t) for t in inputs], 'args': described}
        try:
            result = call(*leaves)
        except (RuntimeError, IndexError, ValueError, TypeError, NotImplementedError, ZeroDivisionError) as error:
            record['error'] = first_line(error)
            return self.cases.append(record)
        outputs = list(result) if isinstance(result, (tuple, list)) else [result]
        record['outputs'] = [tensor_data(t) for t in outputs]
        roots = [t for t in outputs if t.requires_grad]
        if roots:
            torch.autograd.backward(roots, [cotangent(t) for t in roots])
            record['grads'] = [None if t is None else tensor_data(t.grad) for t in leaves]
        self.cases.append(record)

    @staticmethod
    def lookup(fn, list_operand, options):
        method = next(getattr(space, fn) for space in (torch.nn.functional, torch, torch.Tensor) if hasattr(space, fn))
        return (lambda *xs: method(list(xs), **options)) if list_operand else (lambda *xs: method(*xs, **options))

    @staticmethod
    def title(fn, inputs, args):
        kinds = ' '.join(f'{DTYPES[t.dtype]}[{",".join(map(str, t.shape))}]' for t in inputs if t is not None)
        told = ' '.join(f'{k}={json.dumps(v)}' for k, v in args.items())
        return ' '.join(part for part in (camel(fn), kinds, told) if part)

    def unique(self, name):
        taken = sum(1 for case in self.cases if case['name'] == name or case['name'].startswith(f'{name} #'))
        return f'{name} #{taken + 1}' if taken else name

    def write(self):
        lines = ',\n'.join(json.dumps(case, separators=(',', ':')) for case in self.cases)
        with open(self.path, 'w') as file:
            file.write(f'{{"torch":"{VERSION}","cases":[\n{lines}\n]}}\n')
        refused = [case['name'] + ': ' + case['error'] for case in self.cases if 'error' in case]
        print(f'{os.path.basename(self.path)}: {len(self.cases)} cases, {len(refused)} refused, {os.path.getsize(self.path)} bytes')
        for line in refused:
            print('  refused', line)
