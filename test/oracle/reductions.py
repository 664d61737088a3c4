# Reductions, running sums and products, sorting: dimensions, keepdim, ties, NaN, and shapes with a size of zero. Writes reductions.json.
import math

import torch

from case import Cases, tensor, values

cases = Cases('reductions')
x = values(2, 3, 4)
nan, inf = math.nan, math.inf
empty, hollow = torch.zeros(0), torch.zeros(2, 0, 3)
integers = tensor([[3, -1, 4], [1, -5, 9]], torch.int64)
bools = tensor([[True, False, True], [True, True, True]], torch.bool)
bytes_ = tensor([[200, 100, 7], [1, 2, 3]], torch.uint8)

for fn in ('sum', 'mean', 'amax', 'amin', 'var', 'std'):
    for options in ({}, {'dim': 1}, {'dim': -1, 'keepdim': True}, {'dim': (0, 2)}, {'dim': (0, 1, 2), 'keepdim': True}):
        cases.add(fn, [x], **options)
for fn in ('var', 'std'):
    for correction in (0, 2):
        cases.add(fn, [x], dim=1, correction=correction)
    cases.add(fn, [tensor([3.0, 3.0, 3.0])], name=f'{fn} of equal numbers')
    cases.add(fn, [tensor([3.0])], name=f'{fn} of one number')
    cases.add(fn, [tensor([10000.0, 10001.0, 10002.0])], name=f'{fn} does not cancel')
cases.add('var_mean', [x], dim=-1)
cases.add('std_mean', [x], dim=0, correction=0)

cases.add('prod', [x])
cases.add('prod', [x], dim=1)
cases.add('prod', [x], dim=-1, keepdim=True)
cases.add('prod', [tensor([0.0, 2.0, 3.0])], name='prod with one zero')
cases.add('prod', [tensor([0.0, 2.0, 0.0])], name='prod with two zeros')

for fn in ('max', 'min'):
    cases.add(fn, [x])
    cases.add(fn, [x], dim=1)
    cases.add(fn, [x], dim=-1, keepdim=True)
    cases.add(fn, [tensor([3.0, 1.0, 3.0, 1.0])], name=f'{fn} splits its gradient among ties')
    cases.add(fn, [tensor([[3.0, 1.0, 3.0, 1.0]])], dim=1, name=f'{fn} over a dimension takes the first of a tie')
    cases.add(fn, [tensor([1.0, nan, 3.0])], name=f'{fn} gives NaN')
    cases.add(fn, [tensor([[1.0, nan, 3.0]])], dim=1, name=f'{fn} over a dimension finds NaN')
    cases.add(fn, [integers])
    cases.add(fn, [integers], dim=0)
    cases.add(fn, [empty], name=f'{fn} of nothing is refused')
    cases.add(f'a{fn}', [tensor([[3.0, 1.0, 3.0, 1.0], [1.0, 1.0, 2.0, 2.0]])], dim=1, name=f'a{fn} splits its gradient among ties')
    cases.add(f'arg{fn}', [x])
    cases.add(f'arg{fn}', [x], dim=1)
    cases.add(f'arg{fn}', [x], dim=-1, keepdim=True)
    cases.add(f'arg{fn}', [tensor([1.0, 3.0, 3.0, 1.0])], name=f'arg{fn} gives the first of a tie')
    cases.add(f'arg{fn}', [tensor([1.0, nan, 3.0, nan])], name=f'arg{fn} gives the first NaN')
    cases.add(f'arg{fn}', [empty], name=f'arg{fn} of nothing is refused')

for fn in ('all', 'any'):
    cases.add(fn, [bools])
    cases.add(fn, [bools], dim=1)
    cases.add(fn, [bools], dim=0, keepdim=True)
    cases.add(fn, [tensor([0.0, nan, 2.0])])
    cases.add(fn, [empty])
cases.add('count_nonzero', [integers])
cases.add('count_nonzero', [tensor([[0.0, -0.0, nan], [1.0, 2.0, 0.0]])], dim=1)

for options in ({'dim': 0}, {'dim': -1}, {'dim': (0, 2)}, {'dim': (1,), 'keepdim': True}):
    cases.add('logsumexp', [x], **options)
cases.add('logsumexp', [tensor([1000.0, 1000.0])], dim=0, name='logsumexp does not overflow')
cases.add('logsumexp', [tensor([-inf, -inf])], dim=0, name='logsumexp of minus infinities')
cases.add('logsumexp', [tensor([inf, 1.0])], dim=0, name='logsumexp of infinity')

for p in (2, 1, 3, inf, -inf, 0, 0.5):
    cases.add('norm', [x], lambda a, p=p: torch.norm(a, p), args={'p': float(p)})
    cases.add('norm', [x], lambda a, p=p: torch.norm(a, p, dim=1), args={'p': float(p), 'dim': 1})
cases.add('norm', [x], lambda a: torch.norm(a, 2, dim=(0, 2), keepdim=True), args={'p': 2, 'dim': [0, 2], 'keepdim': True})
for p in (2, 1, 3, inf):
    cases.add('norm', [torch.zeros(3)], lambda a, p=p: torch.norm(a, p), args={'p': float(p)}, name=f'norm of order {p} at zero')
cases.add('norm', [tensor([3.0, -3.0, 1.0])], lambda a: torch.norm(a, inf), args={'p': inf}, name='norm of order inf splits its gradient among ties')

# Dtypes and empty shapes.
for t, kind in ((integers, 'int64'), (bools, 'bool'), (bytes_, 'uint8'), (integers.to(torch.int32), 'int32')):
    for fn in ('sum', 'prod', 'cumsum', 'cumprod'):
        options = {'dim': 1} if fn.startswith('cum') else {}
        cases.add(fn, [t], name=f'{fn} of {kind}', **options)
cases.add('mean', [integers], name='mean of integers is refused')
cases.add('var', [integers], name='var of integers is refused')
cases.add('sum', [x], dim=1, dtype=torch.float64)
cases.add('mean', [integers], dtype=torch.float32)
for fn in ('sum', 'prod', 'mean'):
    cases.add(fn, [empty], name=f'{fn} of nothing')
    cases.add(fn, [hollow], dim=1, name=f'{fn} over a size of zero')
    cases.add(fn, [hollow], dim=0, name=f'{fn} beside a size of zero')
cases.add('amax', [hollow], dim=1, name='amax over a size of zero is refused')
cases.add('amax', [hollow], dim=0, name='amax beside a size of zero')
cases.add('logsumexp', [hollow], dim=1, name='logsumexp over a size of zero')
for fn in ('sum', 'mean', 'prod', 'max', 'argmax'):
    cases.add(fn, [tensor(2.5)], name=f'{fn} of a 0-d tensor')
cases.add('sum', [tensor(2.5)], dim=0, name='sum of a 0-d tensor over dimension 0')
cases.add('sum', [x], dim=3, name='a dimension out of range is refused')
cases.add('sum', [x], dim=(1, 1), name='a dimension given twice is refused')

# Running.
for fn in ('cumsum', 'cumprod'):
    cases.add(fn, [x], dim=1)
    cases.add(fn, [x], dim=-1)
    cases.add(fn, [tensor([1.0, nan, 2.0])], dim=0)
    cases.add(fn, [empty], dim=0)
    cases.add(fn, [values(5, dtype=torch.float64)], dim=0)
cases.add('cumprod', [tensor([2.0, 0.0, 3.0])], dim=0, name='cumprod with a zero')
cases.add('cumprod', [tensor([2.0, 0.0, 3.0, 0.0])], dim=0, name='cumprod with two zeros')

# Order.
mixed = tensor([[3.0, nan, -1.0, 3.0, inf], [0.0, -0.0, -inf, 2.0, 0.0]])
for descending in (False, True):
    cases.add('sort', [x], dim=1, descending=descending)
    cases.add('sort', [mixed], dim=-1, descending=descending, stable=True)
    cases.add('argsort', [tensor([3, 1, 3, 2, 1], torch.int64)], dim=0, descending=descending, stable=True)
cases.add('sort', [tensor([True, False, True], torch.bool)], dim=0, stable=True)
cases.add('sort', [empty], dim=0)
for largest in (True, False):
    cases.add('topk', [x], k=2, dim=1, largest=largest)
    cases.add('topk', [tensor([5, 1, 4, 2], torch.int64)], k=3, largest=largest)
cases.add('topk', [x], k=0)
cases.add('topk', [tensor([1.0, nan, 2.0])], k=2, name='topk counts NaN as the largest')
cases.add('topk', [x], k=5, name='topk of more than there are is refused')

cases.write()
