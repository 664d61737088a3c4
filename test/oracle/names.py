# What the graph of gradients of every differentiable function looks like: names.json, read by names.test.ts.
#
# Walks `grad_fn` and `next_functions` of the calls that the other scripts make, and of some more below. A function stands as its name with
# what it leads to in parentheses: `MulBackward0(#0, ReciprocalBackward0(#1))`. `#0` is the first input's accumulator, `-` leads nowhere, and
# `:1` behind a name says that the edge goes to its second output. Of several calls of one function that look the same, the first is kept.
import importlib
import json
import os

import torch

import case
from case import VERSION, Cases, camel, plain, tensor, tensor_data, values

FILES = ['elementwise', 'reductions', 'linalg', 'network', 'indexing']


def tree(node, leaves, index=0, depth=0):
    if node is None:
        return '-'
    if hasattr(node, 'variable'):
        return next(f'#{i}' for i, leaf in enumerate(leaves) if leaf is node.variable)
    inner = ', '.join(tree(n, leaves, i, depth + 1) for n, i in node.next_functions)
    return f'{node.name()}{f":{index}" if index else ""}({inner})'


class Trees(Cases):
    """Keeps the trees of calls that give results with gradients, instead of values."""

    def __init__(self, name):
        self.file = name
        self.cases = []
        self.seen = set()

    def add(self, fn, inputs, call=None, name=None, grad=True, list_operand=False, args=None, **options):
        call = call or self.lookup(fn, list_operand, options)
        wanted = [t is not None and t.is_floating_point() and (grad is True or (grad is not False and i in grad)) for i, t in enumerate(inputs)]
        leaves = [None if t is None else t.detach().clone().requires_grad_(w) for t, w in zip(inputs, wanted)]
        described = {camel(k): plain(v) for k, v in {**options, **(args or {})}.items()}
        if list_operand:
            described['operands'] = 'list'
        title = self.unique(name or self.title(fn, inputs, described))
        self.cases.append({'name': title})
        try:
            result = call(*leaves)
        except (RuntimeError, IndexError, ValueError, TypeError, NotImplementedError, ZeroDivisionError):
            return
        outputs = list(result) if isinstance(result, (tuple, list)) else [result]
        trees = [tree(t.grad_fn, leaves, t.output_nr) for t in outputs if t.grad_fn is not None]
        if not trees or (fn, *trees) in self.seen:
            return
        self.seen.add((fn, *trees))
        kept = {'trees': trees}
        if self.file == 'names':
            kept = {'fn': camel(fn), 'inputs': [tensor_data(t) for t in inputs], 'args': described, **kept}
        self.cases[-1].update(kept)

    def write(self):
        found.append((self.file, [c for c in self.cases if 'trees' in c]))


found = []
case.Cases = Trees
for file in FILES:
    importlib.import_module(file)

# What those scripts have no call of, or not of this kind.
own = Trees('names')
m, v, w = values(2, 3), values(3), values(3, seed=1, low=1, high=2)
f = torch.nn.functional
own.add('div', [v], lambda a: torch.div(2, a), args={'numerator': 2}, name='a number divided by a tensor')
own.add('sub', [v], lambda a: torch.sub(2, a), args={'from': 2}, name='a number minus a tensor')
own.add('rsub', [v], lambda a: 2 - a, args={'other': 2})
own.add('rsub', [v, w], torch.rsub)
own.add('pow', [w], lambda a: a**2.5, args={'exponent': 2.5}, name='pow of a number')
own.add('pow', [w, v], lambda a, b: a**b, name='pow of a tensor')
own.add('pow', [v], lambda a: 2**a, args={'base': 2}, name='pow of a number to a tensor')
own.add('stack', [v, w], list_operand=True, dim=0)
own.add('cat', [v, w], list_operand=True, dim=0)
own.add('unbind', [m], dim=0)
own.add('split', [m], lambda a: a.split(2, 1), args={'splitSize': 2, 'dim': 1})
own.add('split', [m], lambda a: a.split([1, 2], 1), args={'splitSize': [1, 2], 'dim': 1}, name='split by sizes')
own.add('chunk', [m], lambda a: a.chunk(2, 1), args={'chunks': 2, 'dim': 1})
own.add('select', [m], lambda a: a.select(0, 1), args={'dim': 0, 'index': 1})
own.add('narrow', [m], lambda a: a.narrow(1, 0, 2), args={'dim': 1, 'start': 0, 'length': 2})
own.add('squeeze', [values(2, 1, 3)], lambda a: a.squeeze())
own.add('squeeze', [values(2, 1, 3)], lambda a: a.squeeze(1), args={'dim': 1}, name='squeeze of a dimension')
own.add('unsqueeze', [m], lambda a: a.unsqueeze(0), args={'dim': 0})
own.add('permute', [m], lambda a: a.permute(1, 0), args={'dims': [1, 0]})
own.add('transpose', [m], lambda a: a.transpose(0, 1), args={'dim0': 0, 'dim1': 1})
own.add('movedim', [m], lambda a: a.movedim(0, 1), args={'source': 0, 'destination': 1})
own.add('t', [m], lambda a: a.t())
own.add('reshape', [m], lambda a: a.reshape(3, 2), args={'shape': [3, 2]})
own.add('reshape', [m], lambda a: a.t().reshape(6), args={'shape': [6], 'of': 'transposed'}, name='reshape that copies')
own.add('view', [m], lambda a: a.view(6), args={'shape': [6]})
own.add('flatten', [m], lambda a: a.flatten())
own.add('unflatten', [m], lambda a: a.unflatten(1, (3, 1)), args={'dim': 1, 'sizes': [3, 1]})
own.add('expand', [v], lambda a: a.expand(2, 3), args={'shape': [2, 3]})
own.add('repeat', [v], lambda a: a.repeat(2, 2), args={'repeats': [2, 2]})
own.add('flip', [m], lambda a: a.flip(0), args={'dims': [0]})
own.add('roll', [m], lambda a: a.roll(1, 1), args={'shifts': 1, 'dim': 1})
own.add('tril', [m], lambda a: a.tril())
own.add('triu', [m], lambda a: a.triu())
own.add('diagonal', [values(3, 3)], lambda a: a.diagonal())
own.add('trace', [values(3, 3)], lambda a: a.trace())
own.add('clone', [v], lambda a: a.clone())
own.add('contiguous', [m], lambda a: a.t().contiguous(), args={'of': 'transposed'})
own.add('to', [v], lambda a: a.to(torch.float64), args={'dtype': 'float64'})
own.add('einsum', [m, values(3, 2)], lambda a, b: torch.einsum('ij,jk->ik', a, b), args={'equation': 'ij,jk->ik'})
own.add('einsum', [m, m], lambda a, b: torch.einsum('ij,ij->', a, b), args={'equation': 'ij,ij->'}, name='einsum to a scalar')
own.add('einsum', [values(2, 2, 3), values(2, 3, 2)], lambda a, b: torch.einsum('bij,bjk->bik', a, b), args={'equation': 'bij,bjk->bik'}, name='einsum over a batch')
own.add('einsum', [m], lambda a: torch.einsum('ij->ji', a), args={'equation': 'ij->ji'}, name='einsum of one')
own.add('matmul', [m, values(3, 2)], lambda a, b: a @ b)
own.add('matmul', [values(2, 2, 3), values(3, 2)], lambda a, b: a @ b, name='matmul of 3-d and 2-d')
own.add('matmul', [values(2, 2, 3), values(2, 3, 2)], lambda a, b: a @ b, name='matmul of 3-d')
own.add('matmul', [v, w], lambda a, b: a @ b, name='matmul of vectors')
own.add('matmul', [v, values(3, 2)], lambda a, b: a @ b, name='matmul of a vector and a matrix')
own.add('linear', [m, values(4, 3), values(4)], f.linear)
own.add('linear', [m, values(4, 3)], f.linear, name='linear without bias')
own.add('linear', [values(2, 2, 3), values(4, 3), values(4)], f.linear, name='linear in 3-d')
own.add('max', [m], lambda a: a.max())
own.add('max', [m], lambda a: a.max(1), args={'dim': 1}, name='max over a dimension')
own.add('sum', [m], lambda a: a.sum())
own.add('sum', [m], lambda a: a.sum(1), args={'dim': 1}, name='sum over a dimension')
own.add('index', [m], lambda a: a[1], args={'index': [1]})
own.add('index', [m], lambda a: a[:, 1:], args={'index': [{'start': None, 'stop': None, 'step': None}, {'start': 1, 'stop': None, 'step': None}]}, name='index by ranges')
own.add('index', [m, tensor([0, 1, 1], torch.int64)], lambda a, i: a[i], args={'index': [{'input': 1}]}, name='index by a tensor')
own.add('clamp', [v], lambda a: a.clamp(-1, 1), args={'min': -1, 'max': 1})
own.add('clamp', [v, w], lambda a, b: a.clamp(max=b), args={'bound': 'max'}, name='clamp by a tensor')
own.add('where', [tensor([True, False, True], torch.bool), v, w], torch.where)
own.add('abs_', [v], lambda a: (a * 1).abs_(), name='in place')
own.add('mul_view', [m], lambda a: (a * 1)[0].mul_(2), name='in place through a view')
own.write()

path = os.path.join(os.path.dirname(os.path.abspath(__file__)), 'names.json')
lines = []
for file, cases in found:
    for c in cases:
        lines.append(json.dumps({'file': file, **c}, separators=(',', ':')))
with open(path, 'w') as out:
    out.write(f'{{"torch":"{VERSION}","cases":[\n' + ',\n'.join(lines) + '\n]}\n')
print(f'names.json: {len(lines)} cases, {os.path.getsize(path)} bytes')
