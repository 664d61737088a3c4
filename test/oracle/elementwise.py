# Elementwise functions: ordinary and special values, integers, and gradients where functions bend (subgradients). Writes elementwise.json.
#
# Four names are no functions of PyTorch: `rsub`, `rdiv` and `rpow` have their number on the left (1 - x, 1 / x, 2 ** x), and `whereLog`
# is where(x > 0, log(x), 0). `add` with `other: "self"` adds a detached copy of x.
import math

import torch

from case import SPECIAL, Cases, tensor, values

cases = Cases('elementwise')
special = tensor(SPECIAL)
integers = tensor([-7, -2, -1, 0, 1, 2, 3, 9], torch.int64)
doubles = values(2, 5, dtype=torch.float64, low=-3, high=3)

# Of one operand: on everything float32 can hold, on float64, on integers (most of which become floats).
unary = """abs neg sign floor ceil trunc round frac reciprocal square sqrt rsqrt exp exp2 expm1 log log2 log10 log1p sin cos tan asin acos atan
    sinh cosh tanh asinh acosh atanh erf erfc sigmoid relu relu6 elu selu celu gelu silu mish softplus softsign hardtanh hardsigmoid
    hardswish hardshrink softshrink tanhshrink logsigmoid leaky_relu isnan isinf isfinite logical_not""".split()
for fn in unary:
    cases.add(fn, [special], name=f'{fn} of special values')
    cases.add(fn, [doubles])
for fn in 'abs neg sign floor ceil trunc round square sqrt exp log sin tanh erf sigmoid reciprocal rsqrt relu logical_not isnan bitwise_not'.split():
    cases.add(fn, [integers])
for fn in 'abs sign square exp logical_not bitwise_not neg'.split():
    cases.add(fn, [tensor([True, False], torch.bool)])
cases.add('abs', [tensor([0, 1, 255], torch.uint8)])
cases.add('neg', [tensor([0, 1, 255], torch.uint8)])
cases.add('neg', [tensor([-(2**31), 5], torch.int32)], name='neg of the smallest int32 wraps')
cases.add('round', [tensor([0.5, 1.5, 2.5, -0.5, -1.5, 1.4999999])], name='round goes half to even')

# Where they bend: the value PyTorch takes of the possible gradients.
cases.add('relu', [tensor([-1.0, -0.0, 0.0, 1.0, math.nan])], name='relu at 0 and NaN')
cases.add('relu6', [tensor([0.0, 6.0, 3.0])], name='relu6 at its bends')
cases.add('hardtanh', [tensor([-1.0, 1.0, 0.5])], name='hardtanh at its bends')
cases.add('hardsigmoid', [tensor([-3.0, 3.0, 0.0])], name='hardsigmoid at its bends')
cases.add('hardshrink', [tensor([-0.5, 0.5, 0.75])], name='hardshrink at its bends')
cases.add('softshrink', [tensor([-0.5, 0.5, 0.75])], name='softshrink at its bends')
cases.add('hardswish', [tensor([-3.0, 3.0, 1.0, -4.0, 4.0])], name='hardswish at its bends')
cases.add('threshold', [tensor([1.0, 1.5, 0.5])], threshold=1.0, value=20.0, name='threshold at its bend')
cases.add('leaky_relu', [tensor([-1.0, 0.0, 1.0])], negative_slope=0.2)
cases.add('elu', [tensor([-1.0, 0.0, 1.0])], alpha=1.5)
cases.add('softplus', [tensor([-30.0, 0.0, 9.0, 30.0])], beta=2.0, threshold=15.0)
cases.add('gelu', [values(3, 4, low=-4, high=4)], approximate='tanh')
cases.add('gelu', [values(3, 4, low=-4, high=4)])
cases.add('sqrt', [tensor([0.0, -1.0, 4.0])], name='sqrt at 0 and below')
cases.add('log', [tensor([0.0, -1.0, 2.0])], name='log at 0 and below')
cases.add('log1p', [tensor([1e-8, -1.0, -2.0, 3e-5])], name='log1p near 0 and at -1')
cases.add('expm1', [tensor([1e-8, -1e-8, 100.0, -100.0])], name='expm1 near 0 and far out')
cases.add('sigmoid', [tensor([-200.0, -20.0, 20.0, 200.0])], name='sigmoid saturates without NaN')
cases.add('softplus', [tensor([-200.0, -1.0, 0.0, 1.0, 200.0])], name='softplus saturates without overflow')
cases.add('logsigmoid', [tensor([-200.0, -1.0, 0.0, 1.0, 200.0])], name='logsigmoid saturates without overflow')
cases.add('tan', [tensor([1.5707964, 3.0, 0.1])])
cases.add('nan_to_num', [tensor([math.nan, math.inf, -math.inf, 1.0])])
cases.add('nan_to_num', [tensor([math.nan, math.inf, -math.inf, 1.0])], nan=2.0, posinf=3.0, neginf=-4.0)
for bounds in ({'min': -1.0, 'max': 1.0}, {'min': 0.0}, {'max': 0.5}, {'min': 1.0, 'max': -1.0}):
    cases.add('clamp', [tensor([-2.0, -1.0, 0.0, 0.5, 1.0, 2.0, math.nan])], **bounds)
cases.add('clamp', [integers], min=-1, max=2)
cases.add('clamp', [integers], min=-1.5, name='clamp of integers by a float')
cases.add('clamp', [tensor([1.0, 5.0, -3.0]), tensor([1.0, 0.0, 0.0]), tensor([2.0, 2.0, 2.0])], name='clamp by tensors, with a tie')

# Of two operands: every pair of special values.
few = [0.0, -0.0, 1.0, -1.0, 2.5, -2.5, math.inf, -math.inf, math.nan]
left = tensor([a for a in few for _ in few])
right = tensor([b for _ in few for b in few])
binary = """add sub mul div floor_divide remainder fmod pow atan2 maximum minimum fmax fmin hypot logaddexp xlogy copysign heaviside
    eq ne lt le gt ge logical_and logical_or logical_xor""".split()
for fn in binary:
    cases.add(fn, [left, right], name=f'{fn} of special values', grad=fn not in ('heaviside', 'floor_divide'))
for mode in ('trunc', 'floor'):
    cases.add('div', [left, right], name=f'div of special values, rounded by {mode}', rounding_mode=mode)
x, y = values(3, 4), values(3, 4, seed=5)
for fn in 'add sub mul div pow atan2 maximum minimum fmax fmin hypot logaddexp remainder fmod xlogy'.split():
    a, b = (x.abs() + 0.5, y.abs() + 0.25) if fn in ('pow', 'xlogy') else (x, y)
    cases.add(fn, [a, b])
for fn in 'maximum minimum fmax fmin'.split():
    cases.add(fn, [tensor([1.0, 2.0, 3.0]), tensor([1.0, 3.0, 2.0])], name=f'{fn} with a tie')

i, j = tensor([7, -7, 7, -7, 0, 6], torch.int64), tensor([2, 2, -2, -2, 3, 3], torch.int64)
for fn in 'add sub mul div floor_divide remainder fmod maximum minimum eq ne lt le gt ge logical_and bitwise_and bitwise_or bitwise_xor'.split():
    cases.add(fn, [i, j])
for mode in ('trunc', 'floor'):
    cases.add('div', [i, j], rounding_mode=mode)
cases.add('pow', [tensor([2, -3, 0, 5], torch.int64), tensor([10, 3, 0, 1], torch.int64)])
cases.add('pow', [tensor([2, 3], torch.int64)], lambda a: torch.pow(a, -1), args={'exponent': -1}, name='pow of integers to a negative integer is refused')
cases.add('bitwise_left_shift', [tensor([1, -3, 5], torch.int32), tensor([4, 1, 0], torch.int32)])
cases.add('bitwise_right_shift', [tensor([64, -3, 5], torch.int32), tensor([4, 1, 0], torch.int32)])
for fn in 'bitwise_and bitwise_or bitwise_xor logical_and add mul sub'.split():
    cases.add(fn, [tensor([True, True, False], torch.bool), tensor([True, False, False], torch.bool)])
cases.add('add', [tensor([2147483647], torch.int32), tensor([1], torch.int32)], name='int32 addition wraps')
cases.add('mul', [tensor([2**62, 3037000500], torch.int64), tensor([3, 3037000500], torch.int64)], name='int64 multiplication wraps')
cases.add('sub', [tensor([3], torch.uint8), tensor([5], torch.uint8)], name='uint8 subtraction wraps')
cases.add('add', [tensor([2**53], torch.int64), tensor([1], torch.int64)], name='int64 keeps what float64 cannot')
cases.add('floor_divide', [tensor([1], torch.int64), tensor([0], torch.int64)], name='integer division by zero is refused')
cases.add('remainder', [tensor([1], torch.int64), tensor([0], torch.int64)], name='integer remainder by zero is refused')

# With numbers.
z = tensor([-2.0, -1.0, 0.0, 0.5, 3.0])
for exponent in (2, 3, 0, 1, -1, -2, 0.5, -0.5, 2.5):
    cases.add('pow', [z], lambda a, e=exponent: a**e, args={'exponent': exponent})
cases.add('rpow', [z], lambda a: 2**a, args={'base': 2})
cases.add('add', [z], lambda a: torch.add(a, z.clone(), alpha=2), args={'other': 'self', 'alpha': 2}, name='add with alpha')
for fn, other in (('add', 2), ('sub', 0.5), ('mul', -3), ('div', 4), ('remainder', 2), ('fmod', 2), ('floor_divide', 2), ('gt', 0), ('eq', 0.5)):
    cases.add(fn, [z], lambda a, f=fn, o=other: getattr(a, f)(o), args={'other': other}, grad=fn != 'floor_divide')
cases.add('rsub', [z], lambda a: 1 - a, args={'other': 1})
cases.add('rdiv', [z], lambda a: 1 / a, args={'other': 1})
cases.add('div', [z], lambda a: a / 0, args={'other': 0}, name='division by the number zero')

# Of three.
cases.add('where', [tensor([True, False, True, False], torch.bool), tensor([1.0, 2.0, math.nan, 4.0]), tensor([5.0, math.nan, 7.0, 8.0])])
cases.add('where', [tensor([[True], [False]], torch.bool), values(3), values(2, 3)], name='where broadcasts')
cases.add('where', [tensor([True, False], torch.bool), tensor([1, 2], torch.int64), tensor([0.5, 1.5])], name='where promotes')
cases.add('where_log', [tensor([0.0, 1.0, 2.0])], lambda a: torch.where(a > 0, a.log(), torch.zeros(())), name='where does not hide a NaN gradient')
cases.add('lerp', [values(4), values(4, seed=1), values(4, seed=2, low=0, high=1)])
cases.add('lerp', [values(4), values(4, seed=1)], lambda a, b: torch.lerp(a, b, 0.25), args={'weight': 0.25})
cases.add('addcmul', [values(4), values(4, seed=1), values(4, seed=2)], value=0.5)
cases.add('addcdiv', [values(4), values(4, seed=1), values(4, seed=2, low=1, high=3)], value=0.5)

# Broadcasting: gradients are summed back to the operand's shape.
for fn, a, b in (('add', (3, 4), (4,)), ('mul', (3, 1), (1, 4)), ('sub', (2, 3, 4), (3, 1)), ('div', (2, 1, 3), (4, 1)), ('maximum', (2, 3), (1,)), ('mul', (2, 3), ()), ('add', (1,), (1, 1, 1))):
    cases.add(fn, [values(*a), values(*b, seed=3, low=1, high=2)], name=f'{fn} broadcasts {list(a)} with {list(b)}')
cases.add('add', [values(2, 3), values(3, 2)], name='shapes that do not broadcast are refused')
cases.add('add', [torch.zeros(0, 3), values(3)], name='add of nothing')
cases.add('mul', [torch.zeros(2, 0), values(2, 1)], name='mul of nothing')
cases.add('mul', [values(3), values(3, seed=1, dtype=torch.float64)], name='gradients keep the dtype of their operand')
cases.add('mul', [values(3), tensor(2.0, torch.float64)], name='a 0-d float64 does not widen float32')

# Casts.
cases.add('to', [tensor([1.9, -1.9, 0.0, 300.5])], lambda a: a.to(torch.int32), args={'dtype': 'int32'}, name='float to int32 truncates')
cases.add('to', [tensor([1.9, -1.9, 1e10])], lambda a: a.to(torch.int64), args={'dtype': 'int64'}, name='float to int64 truncates')
cases.add('to', [tensor([1, 255, 256, -1], torch.int64)], lambda a: a.to(torch.uint8), args={'dtype': 'uint8'}, name='int64 to uint8 wraps')
cases.add('to', [tensor([0.0, -0.0, 0.5, math.nan])], lambda a: a.to(torch.bool), args={'dtype': 'bool'}, name='anything but zero is true')
cases.add('to', [values(3)], lambda a: a.to(torch.float64), args={'dtype': 'float64'}, name='a cast is differentiable')
cases.add('to', [tensor([1e40, 1 / 3], torch.float64)], lambda a: a.to(torch.float32), args={'dtype': 'float32'}, name='float64 to float32 rounds and overflows')

cases.write()
