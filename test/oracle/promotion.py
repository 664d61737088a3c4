# Which dtype comes out of which two operands: every pair of dtypes, as tensors, 0-d tensors and numbers. Writes promotion.json.
#
# { torch, rows }, each row [fn, left, right, dtype, data] or [fn, left, right, null, message] where PyTorch refuses.
# An operand is "int32[3]" (a tensor of three), "int32[]" (0-d) or "2", "2.5", "true" (a number). The values are those of `operand`
# below: the left one counts up from 1, the right one from 2; bools are [true, false, true].
import json
import os

import torch

from case import DTYPES, VERSION, camel, first_line, number

LEFT, RIGHT = [1, 2, 3], [2, 3, 4]


def operand(dtype, along, numbers):
    data = [True, False, True] if dtype == torch.bool else numbers
    return torch.tensor(data if along else data[0], dtype=dtype)


operands = [(f'{name}[{"3" if shape else ""}]', dtype, shape) for dtype, name in DTYPES.items() for shape in (True, False)]
scalars = [('2', 2), ('2.5', 2.5), ('true', True)]
functions = ['add', 'sub', 'mul', 'div', 'floor_divide', 'remainder', 'pow', 'lt', 'maximum', 'bitwise_and', 'logical_or']


def row(fn, left, right, call):
    name = camel(fn)
    try:
        result = call()
    except (RuntimeError, TypeError, ZeroDivisionError) as error:
        return [name, left, right, None, first_line(error)]
    return [name, left, right, DTYPES[result.dtype], [number(v, result.dtype) for v in result.reshape(-1).tolist()]]


rows = []
for fn in functions:
    function = getattr(torch, fn)
    for left, a, along in operands:
        x = operand(a, along, LEFT)
        for right, b, across in operands:
            y = operand(b, across, RIGHT)
            rows.append(row(fn, left, right, lambda: function(x, y)))
        if fn not in ('maximum', 'logical_or'):  # those take no number
            for right, y in scalars:
                rows.append(row(fn, left, right, lambda: getattr(torch.Tensor, fn)(x, y)))
for fn in ('add_', 'mul_', 'div_', 'sub_'):  # in place, the result has to fit into the left operand
    for left, a, along in operands:
        for right, b, across in operands:
            if along or not across:
                rows.append(row(fn, left, right, lambda: getattr(operand(a, along, LEFT), fn)(operand(b, across, RIGHT))))
        for right, y in scalars:
            rows.append(row(fn, left, right, lambda: getattr(operand(a, along, LEFT), fn)(y)))
for left, a, along in operands:
    for right, b, across in operands:
        x, y = operand(a, along, LEFT), operand(b, across, RIGHT)
        rows.append(row('where', left, right, lambda: torch.where(torch.tensor([True, False, True]), x, y)))
        if along and across:
            rows.append(row('cat', left, right, lambda: torch.cat([x, y])))

path = os.path.join(os.path.dirname(os.path.abspath(__file__)), 'promotion.json')
with open(path, 'w') as file:
    lines = ',\n'.join(json.dumps(r, separators=(',', ':')) for r in rows)
    file.write(f'{{"torch":"{VERSION}","rows":[\n{lines}\n]}}\n')
print(f'promotion.json: {len(rows)} rows, {sum(r[3] is None for r in rows)} refused, {os.path.getsize(path)} bytes')
for text in sorted({f'{r[0]}: {r[4]}' for r in rows if r[3] is None})[:60]:
    print('  refused', text)
