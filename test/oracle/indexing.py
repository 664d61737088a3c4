# Indexing, index assignment, gathering and scattering, and everything that only moves elements. Writes indexing.json.
#
# `index` and `setIndex` have args.index, one entry per dimension as in x[...]: an integer, null (a new dimension), "..." ,
# { start, stop, step } (a range; null where left out; step never negative), a boolean, or { input: n } (the n-th input, a tensor of
# integers or a mask). The inputs of `index` are x and those tensors; of `setIndex` x and those tensors, and the value last, unless
# args.value is a number. `setIndex` gives x afterwards; the gradient of x is that of a copy of it, so that x may be a leaf.
import torch

from case import Cases, tensor, values

cases = Cases('indexing')
x = values(3, 4)
y = values(2, 3, 4)


def described(index):
    tensors = []

    def one(entry):
        if isinstance(entry, slice):
            return {'start': entry.start, 'stop': entry.stop, 'step': entry.step}
        if isinstance(entry, torch.Tensor):
            tensors.append(entry)
            return {'input': len(tensors)}
        return '...' if entry is Ellipsis else entry

    entries = [one(e) for e in index]
    return entries, tensors


def read(name, t, *index):
    entries, tensors = described(index)
    cases.add('index', [t, *tensors], lambda a, *_: a[index] * 1, args={'index': entries}, name=name)


def write(name, t, value, *index):
    entries, tensors = described(index)

    def call(a, *rest):
        a = a * 1
        a[index] = rest[-1] if isinstance(value, torch.Tensor) else value
        return a

    inputs = [t, *tensors, value] if isinstance(value, torch.Tensor) else [t, *tensors]
    args = {'index': entries} if isinstance(value, torch.Tensor) else {'index': entries, 'value': value}
    cases.add('set_index', inputs, call, args=args, name=name)


rows, repeated = tensor([2, 0], torch.int64), tensor([1, 1, 0, -1], torch.int64)
mask = tensor([[True, False, True, False], [False, False, False, True], [True, True, False, False]], torch.bool)
s = slice
read('an integer', x, 1)
read('a negative integer', x, -1)
read('two integers', x, 1, 2)
read('a range', x, s(1, 3))
read('a range with a step', x, s(None), s(0, None, 2))
read('a range from the end', x, s(-2, None), s(None, -1))
read('a range beyond the end is cut', x, s(1, 100))
read('an empty range', x, s(2, 1))
read('new dimensions', x, None, s(None), None)
read('an ellipsis', y, ..., 1)
read('an ellipsis in the middle', y, 0, ..., 2)
read('an ellipsis that stands for nothing', x, ..., 0, 1)
read('a tensor of integers', x, rows)
read('a tensor of integers, repeated: gradients add up', x, repeated)
read('a tensor of integers in the second place', x, s(None), rows)
read('a matrix of integers', x, tensor([[0, 1], [2, 2]], torch.int64))
read('two tensors of integers', x, rows, tensor([3, 1], torch.int64))
read('two tensors that broadcast', x, rows.reshape(2, 1), tensor([3, 1, 0], torch.int64))
read('two tensors with a range between them come first', y, rows.clamp(max=1), s(None), tensor([3, 1], torch.int64))
read('two tensors side by side stay in place', y, s(None), rows, tensor([3, 1], torch.int64))
read('an integer and a tensor', y, 1, s(None), rows)
read('an integer, a range and a tensor', y, 0, s(1, 3), rows)
read('a mask', x, mask)
read('a mask of rows', x, tensor([True, False, True], torch.bool))
read('a mask in the second place', x, s(None), tensor([True, False, True, True], torch.bool))
read('a mask of nothing', x, torch.zeros(3, 4, dtype=torch.bool))
read('a mask and an integer', y, 1, mask)
read('an empty tensor of integers', x, torch.zeros(0, dtype=torch.int64))
read('a boolean', x, True)
read('no index', x, ...)
read('of a 0-d tensor', tensor(2.5), ...)
read('an integer out of range is refused', x, 3)
read('a negative integer out of range is refused', x, -4)
read('a tensor of integers out of range is refused', x, tensor([0, 3], torch.int64))
read('too many indices are refused', x, 0, 0, 0)
read('a mask of another shape is refused', x, tensor([True, False], torch.bool))
read('two tensors that do not broadcast are refused', x, rows, repeated)
read('a tensor of floats is refused', x, tensor([1.0]))

write('set a row', x, values(4, seed=5), 1)
write('set an element to a number', x, 7.5, 0, 1)
write('set a range', x, values(2, 2, seed=5), s(0, 2), s(1, 3))
write('set a range with a step to one row', x, values(4, seed=5), s(None, None, 2))
write('set a range to a number', x, 0.0, ..., s(1, None))
write('set by a mask to a number', x, -1.0, mask)
write('set by a mask to values', x, values(5, seed=5), mask)
write('set by a mask to too many values is refused', x, values(6, seed=5), mask)
write('set by a mask of rows', x, values(4, seed=5), tensor([True, False, True], torch.bool))
write('set by a tensor of integers', x, values(2, 4, seed=5), rows)
write('set by two tensors of integers', x, values(2, seed=5), rows, tensor([3, 1], torch.int64))
write('set by a tensor of integers and a range', y, values(2, 2, 4, seed=5), s(None), rows)
write('set in integers casts', tensor([1, 2, 3], torch.int64), tensor([9.7]), 1)
write('set an empty range', x, 5.0, s(2, 2))
write('set to a value that does not broadcast is refused', x, values(3, seed=5), 1)
write('set out of range is refused', x, 1.0, 5)

# Gather and scatter.
ids = tensor([[0, 1, 2, 0], [2, 0, 0, 1]], torch.int64)
cases.add('gather', [x, ids], lambda a, i: torch.gather(a, 0, i), args={'dim': 0})
cases.add('gather', [x, tensor([[0], [3], [1]], torch.int64)], lambda a, i: torch.gather(a, 1, i), args={'dim': 1})
cases.add('gather', [x, tensor([[0], [4], [1]], torch.int64)], lambda a, i: torch.gather(a, 1, i), args={'dim': 1}, name='gather out of range is refused')
cases.add('take_along_dim', [x, tensor([[1, 0, 3, 2]] * 3, torch.int64)], lambda a, i: torch.take_along_dim(a, i, 1), args={'dim': 1})
source = values(2, 4, seed=6)
cases.add('scatter_add', [x, ids, source], lambda a, i, b: torch.scatter_add(a, 0, i, b), args={'dim': 0})
cases.add('scatter', [x, tensor([[0, 1, 2, 0], [2, 0, 0, 1]], torch.int64), source], lambda a, i, b: torch.scatter(a, 0, i, b), args={'dim': 0})
cases.add('scatter', [x, ids], lambda a, i: torch.scatter(a, 0, i, 9.0), args={'dim': 0, 'value': 9.0})
cases.add('index_select', [x, repeated.clamp(min=0)], lambda a, i: torch.index_select(a, 0, i), args={'dim': 0})
cases.add('index_add', [x, rows, values(2, 4, seed=6)], lambda a, i, b: torch.index_add(a, 0, i, b), args={'dim': 0})
cases.add('masked_fill', [x, mask], value=-1e9)
cases.add('masked_fill', [x, tensor([True, False, False, True], torch.bool)], value=0.0, name='masked fill broadcasts its mask')
cases.add('masked_select', [x, mask])
cases.add('nonzero', [mask])
cases.add('take', [x, tensor([0, 5, 11], torch.int64)])

# Joining and splitting.
cases.add('cat', [x, values(2, 4, seed=6)], list_operand=True)
cases.add('cat', [x, values(3, 1, seed=6), values(3, 0)], list_operand=True, dim=1)
cases.add('cat', [tensor([1, 2], torch.int64), tensor([0.5])], list_operand=True, name='cat promotes')
cases.add('cat', [x, values(2, 3)], list_operand=True, name='cat of other sizes is refused')
cases.add('stack', [x, values(3, 4, seed=6)], list_operand=True, dim=1)
cases.add('stack', [x, values(3, 4, seed=6)], list_operand=True, dim=-1)
cases.add('stack', [x, values(4, 3, seed=6)], list_operand=True, name='stack of other shapes is refused')
cases.add('split', [values(7, 2)], split_size_or_sections=3)
cases.add('split', [values(7, 2)], split_size_or_sections=[2, 5])
cases.add('split', [values(7, 2)], split_size_or_sections=[2, 4], name='split into sections that do not add up is refused')
cases.add('chunk', [values(7, 2)], chunks=3)
cases.add('chunk', [values(2, 4)], chunks=3, dim=1)
cases.add('unbind', [x], dim=1)
cases.add('hstack', [x, values(3, 2, seed=6)], list_operand=True)
cases.add('vstack', [x, values(4, seed=6)], list_operand=True)

# Moving.
for shape in ((4, 3), (12,), (2, -1), (1, 3, 1, 4), (-1,)):
    cases.add('reshape', [x], shape=shape)
cases.add('reshape', [x], shape=(5, -1), name='reshape to another number of elements is refused')
cases.add('reshape', [torch.zeros(0, 3)], shape=(3, 0, 2))
cases.add('transpose', [y], lambda a: a.transpose(0, 2), args={'dim0': 0, 'dim1': 2})
cases.add('permute', [y], dims=(2, 0, 1))
cases.add('permute', [y], dims=(2, 0, 0), name='permute with a repeated dimension is refused')
cases.add('movedim', [y], source=0, destination=-1)
cases.add('squeeze', [values(1, 3, 1, 2)])
cases.add('squeeze', [values(1, 3, 1, 2)], dim=2)
cases.add('squeeze', [values(1, 3, 1, 2)], dim=1)
cases.add('unsqueeze', [x], dim=-1)
cases.add('flatten', [y])
cases.add('flatten', [y], start_dim=1)
cases.add('unflatten', [values(2, 6)], dim=1, sizes=(2, 3))
cases.add('expand', [values(3, 1)], lambda a: a.expand(2, 3, 4) * 1, args={'sizes': [2, 3, 4]})
cases.add('expand', [values(3, 1)], lambda a: a.expand(-1, 4) * 1, args={'sizes': [-1, 4]})
cases.add('expand', [values(3, 2)], lambda a: a.expand(3, 4) * 1, args={'sizes': [3, 4]}, name='expand of a size that is not one is refused')
cases.add('repeat', [values(2, 3)], lambda a: a.repeat(2, 2), args={'repeats': [2, 2]})
cases.add('repeat_interleave', [values(2, 3)], repeats=2, dim=1)
cases.add('tile', [values(2)], dims=(2, 2))
cases.add('flip', [y], dims=(0, 2))
cases.add('roll', [x], shifts=1, dims=0)
cases.add('roll', [x], shifts=(1, -1), dims=(0, 1))
for diagonal in (0, 1, -1, 5):
    cases.add('tril', [values(3, 4)], diagonal=diagonal)
    cases.add('triu', [values(2, 3, 3)], diagonal=diagonal)
cases.add('diagonal', [x], offset=1)
cases.add('diag', [values(3)])
cases.add('narrow', [x], dim=1, start=1, length=2)
cases.add('pad', [x], lambda a: torch.nn.functional.pad(a, (1, 2)), args={'pad': [1, 2]})
cases.add('pad', [x], lambda a: torch.nn.functional.pad(a, (1, 0, 0, 2), value=7.0), args={'pad': [1, 0, 0, 2], 'value': 7.0})
cases.add('pad', [x], lambda a: torch.nn.functional.pad(a, (-1, 0)), args={'pad': [-1, 0]}, name='a negative pad cuts')
cases.add('swapaxes', [y], axis0=0, axis1=1)
cases.add('broadcast_to', [values(4)], size=(3, 4))
cases.add('unfold', [values(7)], lambda a: a.unfold(0, 3, 2), args={'dimension': 0, 'size': 3, 'step': 2})

# Making. No input: `inputs` is empty.
for fn, options in (
    ('arange', {'end': 5}),
    ('arange', {'start': 1, 'end': 6, 'step': 2}),
    ('arange', {'start': 0.0, 'end': 1.0, 'step': 0.3}),
    ('arange', {'start': 5, 'end': 0, 'step': -2}),
    ('arange', {'start': 0, 'end': 3, 'dtype': torch.float32}),
    ('linspace', {'start': 0, 'end': 1, 'steps': 5}),
    ('linspace', {'start': -3, 'end': 10, 'steps': 7}),
    ('linspace', {'start': 2, 'end': 2, 'steps': 1}),
    ('linspace', {'start': 2, 'end': 5, 'steps': 0}),
    ('eye', {'n': 3}),
    ('eye', {'n': 2, 'm': 4}),
    ('full', {'size': (2, 2), 'fill_value': 7}),
    ('full', {'size': (2,), 'fill_value': 0.5}),
    ('full', {'size': (2,), 'fill_value': True}),
    ('zeros', {'size': (2, 0)}),
    ('ones', {'size': (), 'dtype': torch.int64}),
    ('zeros', {'size': (2, -1)}),
    ('arange', {'start': 0, 'end': 5, 'step': 0}),
    ('arange', {'start': 0, 'end': 5, 'step': -1}),
):
    cases.add(fn, [], lambda f=fn, o=options: getattr(torch, f)(**o), args=options)

cases.write()
