# How PyTorch prints tensors. Writes printing.json.
#
# { torch, reprs }, each { name, tensor, requiresGrad, text }. The tensor is as in case.py; `requiresGrad` says whether it is a leaf that
# requires grad. `gradFn` entries have a text with grad_fn=<...> and are made as their name says from the tensor, which requires grad.
import json
import math
import os

import torch

from case import VERSION, tensor, tensor_data, values

inf, nan = math.inf, math.nan
shown = {
    'a 0-d float': tensor(3.14159),
    'a 0-d whole float': tensor(2.0),
    'a 0-d integer': tensor(7, torch.int64),
    'a 0-d bool': tensor(True, torch.bool),
    'whole floats': tensor([1.0, 2.0, 3.0]),
    'fractions': tensor([0.1, 0.25, 1 / 3]),
    'negative numbers': tensor([-1.0, 2.5, -3.25]),
    'minus zero': tensor([-0.0, 0.0]),
    'integers': tensor([1, -20, 300], torch.int64),
    'int32 says its dtype': tensor([1, 2], torch.int32),
    'uint8 says its dtype': tensor([1, 255], torch.uint8),
    'float64 says its dtype': tensor([0.1, 2.5], torch.float64),
    'bools': tensor([True, False], torch.bool),
    'a matrix': values(2, 3),
    'a matrix of integers': tensor([[1, 20], [300, 4]], torch.int64),
    'three dimensions': values(2, 2, 3),
    'four dimensions': values(2, 1, 2, 2),
    'nothing': torch.zeros(0),
    'nothing, with a shape': torch.zeros(2, 0, 3),
    'nothing of int64': torch.zeros(0, dtype=torch.int64),
    'NaN and infinities': tensor([nan, inf, -inf, 1.0]),
    'NaN and infinities with fractions': tensor([nan, inf, -inf, 1.5]),
    'only NaN': tensor([nan, nan]),
    'large numbers turn scientific': tensor([1e8, 1.0]),
    'small numbers turn scientific': tensor([1e-5, 1.0]),
    'a wide range turns scientific': tensor([1e-3, 1e3 + 0.5]),
    'whole and large': tensor([100000.0, 2.0]),
    'whole and larger': tensor([1e9, 2.0]),
    'five digits before the point': tensor([12345.678, 1.5]),
    'tiny alone': tensor([1e-30]),
    'thousandths': tensor([0.001, 0.002]),
    'a long vector is summarised': torch.arange(1500, dtype=torch.float32),
    'a thousand are not': torch.arange(1000, dtype=torch.int64),
    'a large matrix is summarised': torch.arange(4000, dtype=torch.float32).reshape(50, 80),
    'a long matrix of few columns': torch.arange(2400, dtype=torch.int64).reshape(800, 3),
    'lines are wrapped at 80 columns': values(20),
    'integers are wrapped': torch.arange(30, dtype=torch.int64) * 1000,
    'a wrapped matrix': values(2, 14),
    'a column': values(4, 1),
    'long integers': tensor([2**53 + 1, -(2**63)], torch.int64),
    'bools in a matrix': tensor([[True, False], [False, False]], torch.bool),
    'a scientific matrix': values(2, 2) * 1e-6,
    'float64 NaN': tensor([nan], torch.float64),
}
reprs = [{'name': name, 'tensor': tensor_data(t), 'requiresGrad': False, 'text': repr(t)} for name, t in shown.items()]
for name, t in (('a leaf that requires grad', tensor([1.0, 2.0])), ('a float64 leaf that requires grad', tensor([[0.5]], torch.float64)), ('a 0-d leaf that requires grad', tensor(1.5))):
    reprs.append({'name': name, 'tensor': tensor_data(t), 'requiresGrad': True, 'text': repr(t.clone().requires_grad_())})

derived = {
    'x * 2': lambda x: x * 2,
    'x.sum()': lambda x: x.sum(),
    'x.exp()': lambda x: x.exp(),
    'x.reshape([4])': lambda x: x.reshape(4),
    'x.matmul(x)': lambda x: x.matmul(x),
    'x.relu()': lambda x: x.relu(),
    'x.mean()': lambda x: x.mean(),
    'x[0]': lambda x: x[0],
    'x.to(float64)': lambda x: x.to(torch.float64),
    'x.detach()': lambda x: x.detach(),
    'x.transpose(0, 1)': lambda x: x.transpose(0, 1),
    'softmax(x, 1)': lambda x: x.softmax(1),
}
for name, make in derived.items():
    x = values(2, 2).requires_grad_()
    reprs.append({'name': name, 'tensor': tensor_data(x), 'requiresGrad': True, 'gradFn': True, 'text': repr(make(x))})

path = os.path.join(os.path.dirname(os.path.abspath(__file__)), 'printing.json')
with open(path, 'w') as file:
    lines = ',\n'.join(json.dumps(r, separators=(',', ':')) for r in reprs)
    file.write(f'{{"torch":"{VERSION}","reprs":[\n{lines}\n]}}\n')
print(f'printing.json: {len(reprs)} texts, {os.path.getsize(path)} bytes')
