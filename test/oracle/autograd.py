# Autograd as scripts (script.py has the language): what PyTorch does with each, in hundreds of combinations from a few tables.
#
# Written is { torch, cases }, a case being { name, do, sees } with what the script wrote down, in a group by the first word of its name.
# `error` is the class of Fluxion's error where PyTorch refuses a step; `torch` PyTorch's words for it. `unlike` says that PyTorch refuses
# what Fluxion does (its words are in `torch`); then `sees` comes from the same script with a clone in between, which both can do.
import itertools
import json
import os

import torch

from case import VERSION
from script import record

cases = []


def case(name, do):
    sees, message = record(do)
    assert message is None, f'{name}: {do}: {message}'
    cases.append({'name': name, 'do': do, 'sees': sees})


def refused(error, name, do):
    sees, message = record(do)
    assert message is not None, f'{name}: {do} was not refused'
    cases.append({'name': name, 'do': do, 'sees': sees, 'error': error, 'torch': message[:100]})


def either(error, name, do):
    """Refused with this class where PyTorch refuses it."""
    (case if record(do)[1] is None else lambda *a: refused(error, *a))(name, do)


def unlike(name, do, instead):
    _, message = record(do)
    sees, wrong = record(instead)
    assert message is not None and wrong is None, f'{name}: {message}, {wrong}'
    cases.append({'name': name, 'do': do, 'sees': sees, 'torch': message[:100], 'unlike': True})


def weights(n):
    return f'[{",".join(str(v) for v in [0.5, -1, 2, 0.25, 1.5, -0.75][:n])}]'


# leaves: what an op of a leaf, of a constant, and of a leaf under each mode requires
OPS = {
    'add': 'add x 1', 'mul': 'mul x x', 'div': 'div x 2', 'exp': 'exp x', 'sum': 'sum x', 'mean': 'mean x', 'matmul': 'matmul x x', 'relu': 'relu x', 'reshape': 'reshape x [2,2]',
    'select': 'select x 0 1', 'clone': 'clone x', 'detach': 'detach x', 'eq': 'eq x 1', 'lt': 'lt x x', 'argmax': 'argmax x', 'isnan': 'isnan x', 'toInt': "to x 'int32'", 'toDouble': "to x 'float64'",
    'toSame': "to x 'float32'", 'contiguous': 'contiguous x', 'zerosLike': 'zerosLike x', 'softmax': 'softmax x 0', 'cumsum': 'cumsum x 0', 'where': 'where x.isnan x 0', 'sign': 'sign x', 'floor': 'floor x',
}  # fmt: skip
for name, op in OPS.items():
    for made, verb in (('leaf', 'leaf'), ('constant', 'const')):
        for mode in ('', 'noGrad', 'inferenceMode'):
            if made == 'constant' and mode:
                continue
            step = f'{mode} {{ y = {op} }}' if mode else f'y = {op}'
            case(f'leaves: {name} of a {made} {mode}'.rstrip(), f'x = {verb} [1,2,3,4] ; {step} ; see y.requiresGrad y.isLeaf y.gradFn x.isLeaf')
for dtype in ('int32', 'int64', 'bool', 'uint8'):
    refused('AutogradError', f'leaves: of {dtype}', f"x = leaf [1,0] '{dtype}'")
    refused('AutogradError', f'leaves: requiresGrad_ of {dtype}', f"x = const [1,0] '{dtype}' ; requiresGrad_ x")
for on in ('true', 'false'):
    for what, make in {'leaf': 'y = leaf [1]', 'constant': 'y = const [1]', 'result': 'x = leaf [1] ; y = mul x 2', 'view': 'x = leaf [1,2] ; y = select x 0 0', 'detached': 'x = leaf [1] ; y = mul x 2 ; y = detach y'}.items():
        for verb in (f'requiresGrad_ y {on}', f'setRequiresGrad y {on}'):
            either('AutogradError', f'leaves: {verb} on a {what}', f'{make} ; {verb} ; see y.requiresGrad y.isLeaf y.gradFn')
case('leaves: detach_ of a result', 'x = leaf [1,2] ; y = mul x 2 ; detach_ y ; see y.requiresGrad y.isLeaf y.gradFn')
refused('AutogradError', 'leaves: detach_ of a view', 'x = leaf [1,2] ; y = mul x 2 ; z = select y 0 0 ; detach_ z')

# roots: which gradients backward() takes
for shape, make in {'[]': 'sum x', '[1]': 'reshape x.sum [1]', '[1,1]': 'reshape x.sum [1,1]', '[3]': 'mul x 2', '[0]': 'narrow x 0 0 0'}.items():
    for given, gradient in {'none': '', 'scalar': '2', 'one': '[2]', 'three': '[1,2,3]'}.items():
        either('ShapeError' if gradient else 'AutogradError', f'roots: {shape} with {given}', f'x = leaf [1,2,3] ; y = {make} ; backward y {gradient} ; see x.grad'.replace('  ', ' '))
refused('AutogradError', 'roots: a leaf without history', 'x = const [1] ; backward x')
refused('AutogradError', 'roots: of comparisons', 'x = leaf [1] ; y = gt x 0 ; backward y')
case('roots: a leaf itself', 'x = leaf [1] ; backward x ; see x.grad')
case('roots: several', 'x = leaf [1,2] ; y = exp x ; z = mul x x ; backward [y,z] [[1,2],[3,4]] ; see x.grad')
case('roots: the same twice', 'x = leaf [1,2] ; y = mul x x ; z = sum y ; backward [z,z] ; see x.grad')
case('roots: one that leads to another', 'x = leaf [2] ; y = mul x x ; z = mul y x ; backward [y,z] ; see x.grad')
for dtype in ('float64', 'int32'):
    case(f'roots: a gradient of {dtype}', f"x = leaf [1,2] ; y = mul x 3 ; g = const [1,2] '{dtype}' ; backward y g ; see x.grad")

# again: whether backward() may run twice
SAVING = {
    'add': 'add x 1', 'sub': 'sub 1 x', 'neg': 'neg x', 'mulNumber': 'mul x 2', 'divNumber': 'div x 2', 'sum': 'sum x 0', 'mean': 'mean x 0', 'view': 'reshape x [2,1]', 'expand': 'expand x [3,2]', 'cat': 'cat [x,x]',
    'clone': 'clone x', 'flip': 'flip x [0]', 'mul': 'mul x x', 'exp': 'exp x', 'sin': 'sin x', 'tanh': 'tanh x', 'sigmoid': 'sigmoid x', 'sqrt': 'sqrt x', 'log': 'log x', 'div': 'div 1 x', 'pow': 'pow x 3', 'relu': 'relu x',
    'matmul': 'matmul x x', 'softmax': 'softmax x 0', 'prod': 'prod x', 'amax': 'amax x 0', 'abs': 'abs x', 'square': 'square x',
}  # fmt: skip
for name, op in SAVING.items():
    run = f'x = leaf [1,2] ; y = {op} ; z = sum y'
    either('AutogradError', f'again: {name}', f'{run} ; backward z ; backward z ; see x.grad')
    case(f'again: {name} with retainGraph', f'{run} ; backward z retainGraph=true ; backward z ; see x.grad')
refused('AutogradError', 'again: a part that another root has freed', 'x = leaf [1,2] ; y = exp x ; a = sum y ; b = prod y ; backward a ; backward b')
case('again: a part that another root has retained', 'x = leaf [1,2] ; y = exp x ; a = sum y ; b = mean y ; backward a retainGraph=true ; backward b ; see x.grad')
refused('AutogradError', 'again: grad() frees as well', 'x = leaf [1,2] ; y = exp x ; a = sum y ; g = grad [a] [x] ; g = grad [a] [x]')
case('again: createGraph retains', 'x = leaf [1,2] ; y = exp x ; a = sum y ; g = grad [a] [x] createGraph=true ; g = grad [a] [x] ; see g')

# accumulation
for times in (1, 2, 3):
    for create in ('false', 'true'):
        again = ' ; '.join(f'backward y createGraph={create} retainGraph=true' for _ in range(times))
        case(f'accumulation: {times} times, createGraph {create}', f'x = leaf [1,2] ; y = mul x x ; y = sum y ; {again} ; see x.grad x.grad.requiresGrad')
case('accumulation: into the same tensor', 'x = leaf [1,2] ; y = sum x ; backward y ; g = is x.grad ; y = sum x ; backward y ; same g x.grad ; see g')
case('accumulation: into another tensor under createGraph', 'x = leaf [1,2] ; y = mul x x ; y = sum y ; backward y ; g = is x.grad ; y = mul x x ; y = sum y ; backward y createGraph=true ; same g x.grad ; see g x.grad')
case('accumulation: onto what was set', 'x = leaf [1,2] ; setGrad x [10,20] ; y = sum x ; backward y ; see x.grad')
case('accumulation: after null', 'x = leaf [1,2] ; y = sum x ; backward y ; setGrad x null ; see x.grad ; y = sum x ; backward y ; see x.grad')
refused('AutogradError', 'accumulation: a gradient of another shape is set', 'x = leaf [1,2] ; setGrad x [1]')
refused('AutogradError', 'accumulation: a gradient of another dtype is set', "x = leaf [1,2] ; setGrad x [1,2] 'float64'")
refused('AutogradError', 'accumulation: a tensor is its own gradient', 'x = leaf [1,2] ; setGrad x x')
case('accumulation: not into results', 'x = leaf [1,2] ; y = mul x 2 ; z = sum y ; backward z ; see y.grad x.grad')
case('accumulation: into results that retain', 'x = leaf [1,2] ; y = mul x 2 ; retainGrad y ; retainGrad y ; z = mul y y ; z = sum z ; backward z ; see y.grad y.retainsGrad x.retainsGrad')
case('accumulation: retainGrad of a leaf', 'x = leaf [1,2] ; retainGrad x ; see x.retainsGrad ; y = sum x ; backward y ; see x.grad')
refused('AutogradError', 'accumulation: retainGrad of a constant', 'x = const [1,2] ; retainGrad x')
case('accumulation: unused leaves', 'x = leaf [1,2] ; w = leaf [1,2] ; y = sum x ; backward y ; see x.grad w.grad')
case('accumulation: frozen in between', 'x = leaf [1,2] ; w = const [3,4] ; y = mul x w ; y = mul y y ; y = sum y ; backward y ; see x.grad w.grad')

# inputs: what backward(inputs) and grad() take and give
graph = 'x = leaf [1,2] ; w = leaf [3,4] ; u = leaf [5,6] ; y = mul x w ; z = mul y x ; z = sum z'
for inputs in ('[x]', '[w]', '[y]', '[x,w]', '[w,x]', '[x,y]', '[x,x]', '[y,w,x]'):
    case(f'inputs: backward into {inputs}', f'{graph} ; backward z inputs={inputs} ; see x.grad w.grad y.grad')
    case(f'inputs: grad of {inputs}', f'{graph} ; g = grad [z] {inputs} ; see g x.grad')
    for allow, materialize in itertools.product((None, 'true', 'false'), repeat=2):
        options = ''.join(f' {k}={v}' for k, v in (('allowUnused', allow), ('materializeGrads', materialize)) if v)
        either('ArgumentError' if materialize == 'true' and allow == 'false' else 'AutogradError', f'inputs: grad of an unused one beside {inputs}{options}', f'{graph} ; g = grad [z] {inputs[:-1]},u]{options} ; see g')
refused('ArgumentError', 'inputs: none', f'{graph} ; backward z inputs=[]')
refused('AutogradError', 'inputs: one without gradient', 'x = leaf [1] ; w = const [1] ; y = mul x w ; g = grad [y] [w]')
refused('AutogradError', 'inputs: backward into one without gradient', 'x = leaf [1] ; w = const [1] ; y = mul x w ; backward y inputs=[w]')
for given in ('', ' gradOutputs=[[1,2]]', ' gradOutputs=[[1,2,3]]', ' gradOutputs=[null]'):
    either('ShapeError' if '3' in given else 'AutogradError', f'inputs: grad of a vector{given}', f'x = leaf [1,2] ; y = mul x x ; g = grad [y] [x]{given} ; see g')
case('inputs: several outputs', 'x = leaf [1,2] ; y = exp x ; z = mul x x ; g = grad [y,z] [x] gradOutputs=[[1,2],[3,4]] ; see g')
for op in ('exp x', 'mul x x', 'sin x', 'softmax x 0', 'cumsum x 0', 'flip x [0]', 'sort x 0'):
    take = '.0' if 'sort' in op else ''
    case(f'inputs: batched gradients of {op}', f'x = leaf [1,2,0.5] ; y = {op} ; g = grad [y{take}] [x] gradOutputs=[[[1,0,0],[0,1,0],[0,0,1],[1,2,3]]] isGradsBatched=true ; see g')

# higher: derivatives of derivatives
SMOOTH = {
    'cube': 'pow x 3', 'square': 'square x', 'exp': 'exp x', 'log': 'log x', 'sqrt': 'sqrt x', 'rsqrt': 'rsqrt x', 'reciprocal': 'reciprocal x', 'sin': 'sin x', 'cos': 'cos x', 'tan': 'tan x', 'atan': 'atan x', 'sinh': 'sinh x', 'tanh': 'tanh x',
    'sigmoid': 'sigmoid x', 'softplus': 'softplus x', 'silu': 'silu x', 'gelu': 'gelu x', 'erf': 'erf x', 'log1p': 'log1p x', 'expm1': 'expm1 x', 'mul': 'mul x x', 'div': 'div x.sin x', 'softmax': 'softmax x 0', 'logSoftmax': 'logSoftmax x 0',
    'logsumexp': 'logsumexp x 0', 'prod': 'prod x', 'cumprod': 'cumprod x 0', 'cumsum': 'cumsum x.exp 0', 'norm': 'norm x', 'var': 'var x', 'std': 'std x', 'matmul': 'matmul x x.exp', 'outer': 'outer x x', 'mish': 'mish x', 'logsigmoid': 'logsigmoid x',
}  # fmt: skip
for name, op in SMOOTH.items():
    n = len(record(f'x = leaf [0.5,1.25,2] ; y = {op} ; y = flatten y ; see y')[0][0])
    w = json.dumps([1 + i / 4 for i in range(n)], separators=(',', ':'))
    first = f'x = leaf [0.5,1.25,2] ; v = const [1,2,-1] ; w = const {w} ; y = {op} ; y = flatten y ; y = mul y w ; y = sum y ; g = grad [y] [x] createGraph=true'
    case(f'higher: {name}', f'{first} ; h = mul g.0 v ; h = sum h ; k = grad [h] [x] createGraph=true ; m = mul k.0 x ; m = sum m ; backward m ; see g k x.grad')
case('higher: a penalty on the gradient', 'x = leaf [1,2] ; w = leaf [0.5,-1] ; y = mul x w ; y = tanh y ; y = sum y ; g = grad [y] [x] createGraph=true ; p = square g.0 ; p = sum p ; backward p ; see w.grad x.grad')
case('higher: by a gradient of the output', 'x = leaf [1,2] ; v = leaf [1,1] ; y = mul x x ; g = grad [y] [x] gradOutputs=[v] createGraph=true ; h = sum g.0 ; backward h ; see v.grad x.grad')
case('higher: a linear function has none', 'x = leaf [1,2] ; y = mul x 3 ; y = sum y ; g = grad [y] [x] createGraph=true ; see g.0.requiresGrad')

# in place: each op on each kind of tensor
WRITES = {'add_': 'add_ t 1', 'mul_': 'mul_ t 3', 'mul_ tensor': 'mul_ t k', 'div_': 'div_ t 2', 'sub_': 'sub_ t k', 'zero_': 'zero_ t', 'fill_': 'fill_ t 7', 'copy_': 'copy_ t k', 'exp_': 'exp_ t', 'neg_': 'neg_ t', 'clamp_': 'clamp_ t 0 1.5', 'relu_': 'relu_ t', 'tanh_': 'tanh_ t', 'pow_': 'pow_ t 2', 'sqrt_': 'sqrt_ t', 'sigmoid_': 'sigmoid_ t'}
TARGETS = {
    'a result': 't = mul x 2', 'part of a result': 'y = mul x 2 ; t = narrow y 0 1 2', 'a transposed result': 'y = reshape x [2,2] ; y = mul y 2 ; t = transpose y 0 1', 'a leaf': 't = detach x ; requiresGrad_ t', 'a view of a leaf': 't = reshape x [2,2]',
    'a detached result': 'y = mul x 2 ; t = detach y', 'a constant': 't = const [1,2,3,4]', 'one of several views': 'y = mul x 2 ; p = chunk y 2 ; t = is p.0',
}  # fmt: skip
for (target, make), (name, write) in itertools.product(TARGETS.items(), WRITES.items()):
    k = {'part of a result': '[4,5]', 'one of several views': '[4,5]', 'a transposed result': '[[4,5],[6,7]]', 'a view of a leaf': '[[4,5],[6,7]]'}.get(target, '[4,5,6,7]')
    root = 'y' if 'y = ' in make else 't'
    look = f'{root}.requiresGrad' if target == 'a constant' and 'k' not in write else None
    end = f'see {root} t ; see {root}.requiresGrad ; z = mul {root} {root} ; z = sum z'
    tail = '' if target in ('a constant',) else ' ; backward z ; see x.grad k.grad'
    if target == 'a constant':
        tail = ' ; see z.requiresGrad'
    either('AutogradError', f'inPlace: {name} on {target}', f'x = leaf [0.5,1,1.5,2] ; k = leaf {k} ; {make} ; {write} ; {end}{tail}')
for mode in ('noGrad', 'inferenceMode'):
    for name, write in (('add_', 'add_ x 1'), ('zero_', 'zero_ x'), ('part', 'p = select x 0 0 ; mul_ p 3')):
        case(f'inPlace: {name} on a leaf under {mode}', f'x = leaf [1,2] ; {mode} {{ {write} }} ; see x x.requiresGrad ; y = mul x x ; y = sum y ; backward y ; see x.grad')
refused('AutogradError', 'inPlace: on a view that was made under noGrad', 'x = leaf [1,2] ; y = mul x 2 ; noGrad { t = select y 0 0 } ; mul_ t 2')
case('inPlace: under noGrad on a result keeps its history', 'x = leaf [1,2] ; y = mul x 2 ; noGrad { mul_ y 10 } ; z = sum y ; backward z ; see y x.grad')
refused('ShapeError', 'inPlace: may not grow', 'x = const [1] ; add_ x [1,2]'.replace('add_ x [1,2]', 'k = const [1,2] ; add_ x k'))
refused('ShapeError', 'inPlace: on expanded memory', 'x = const [1] ; y = expand x [3] ; add_ y 1')
refused('DTypeError', 'inPlace: a float into integers', "x = const [1,2] 'int64' ; k = const [0.5,0.5] ; add_ x k")
case('inPlace: an integer into floats', "x = const [1,2] ; k = const [1,2] 'int64' ; add_ x k ; see x")

# overwritten: what backward needs was written over
NEEDED = {
    'the result of exp': ('y = exp x', 'y'), 'the result of sigmoid': ('y = sigmoid x', 'y'), 'the result of tanh': ('y = tanh x', 'y'), 'the result of sqrt': ('y = sqrt x', 'y'), 'the result of reciprocal': ('y = reciprocal x', 'y'),
    'an operand of mul': ('a = mul x 2 ; y = mul a x', 'a'), 'an operand of sin': ('a = mul x 2 ; y = sin a', 'a'), 'an operand of log': ('a = mul x 2 ; y = log a', 'a'), 'an operand of pow': ('a = mul x 2 ; y = pow a 3', 'a'),
    'an operand of div': ('a = mul x 2 ; y = div x a', 'a'), 'an operand of matmul': ('a = mul x 2 ; y = matmul a x', 'a'), 'an operand of square': ('a = mul x 2 ; y = square a', 'a'), 'an operand of cos': ('a = mul x 2 ; y = cos a', 'a'),
}  # fmt: skip
for (name, (make, what)), write in itertools.product(NEEDED.items(), ('add_ {} 1', 'zero_ {}', 'p = select {} 0 0 ; mul_ p 2')):
    end = 'z = sum y ; backward z ; see y x.grad'
    copied = f'{make} ; c = clone {what}' if what == 'y' else make.replace('y =', 'b = clone a ; y =').replace('mul a', 'mul b').replace(' a', ' b', 0)
    if what == 'y':
        instead = f'x = leaf [0.5,2] ; {make} ; y = clone y ; {write.format("y")} ; {end}'
    else:
        first, second = make.split(' ; ')
        instead = f'x = leaf [0.5,2] ; {first} ; b = clone a ; {" ".join("b" if w == "a" else w for w in second.split())} ; {write.format("a")} ; {end}'
    unlike(f'overwritten: {name} by {write.format(what)}', f'x = leaf [0.5,2] ; {make} ; {write.format(what)} ; {end}', instead)
for name, make in {'an operand of add': 'a = mul x 2 ; y = add a x', 'an operand of sum': 'a = mul x 2 ; y = sum a', 'an operand of neg': 'a = mul x 2 ; y = neg a', 'the result of mul': 'a = mul x x ; y = add a 0'}.items():
    case(f'overwritten: {name}, which nothing needs', f'x = leaf [0.5,2] ; {make} ; add_ a 1 ; z = sum y ; backward z ; see y x.grad')

# views: writes seen from the other side, with gradients
VIEWS = {
    'select': 'select b 0 1', 'narrow': 'narrow b 1 1 2', 'transpose': 'transpose b 0 1', 'reshape': 'reshape b [3,2]', 'flatten': 'flatten b', 'permute': 'permute b [1,0]', 'unsqueeze': 'unsqueeze b 0', 'expand': 'expand b [2,2,3]',
    'diagonal': 'diagonal b 0', 'unflatten': 'unflatten b 1 [1,3]', 'view of a view': 'select b.t 0 1', 'squeeze': 'squeeze b',
}  # fmt: skip
for name, view in VIEWS.items():
    start = f'x = leaf [[1,2,3],[4,5,6]] ; b = mul x 1 ; v = {view}'
    case(f'views: {name} sees its base written', f'{start} ; mul_ b 2 ; see v v.gradFn ; z = mul v v ; z = sum z ; backward z ; see x.grad')
    either('ShapeError', f'views: {name} is written, its base sees it', f'{start} ; mul_ v 3 ; see b b.gradFn ; z = mul b b ; z = sum z ; backward z ; see x.grad')
    either('ShapeError', f'views: {name} is written with a tensor that wants a gradient', f'{start} ; k = leaf 2 ; mul_ v k ; z = sum b ; backward z ; see x.grad k.grad')
    case(f'views: {name} of a detached tensor shares its storage', f'x = leaf [[1,2,3],[4,5,6]] ; y = mul x 1 ; b = detach y ; v = {view} ; zero_ b ; see y v')
for index, value in (('[0]', '10'), ('[1,2]', '10'), ('[0]', '[7,8,9]'), ('[0]', 'k')):
    case(f'views: assignment at {index} of {value}', f'x = leaf [[1,2,3],[4,5,6]] ; k = leaf [1,2,3] ; y = mul x 2 ; setAt y {index} {value} ; z = mul y y ; z = sum z ; backward z ; see y x.grad k.grad')
refused('AutogradError', 'views: assignment into a leaf', 'x = leaf [1,2] ; setAt x [0] 5')
case('views: two views of one base', 'x = leaf [1,2,3] ; b = mul x 1 ; p = narrow b 0 0 2 ; q = narrow b 0 1 2 ; mul_ p 2 ; mul_ q 3 ; see b p q ; z = mul b b ; z = sum z ; backward z ; see x.grad')
case('views: a hook stays with the value that it was put on', "x = leaf [1,2] ; y = mul x 2 ; hook y 'old' 'double' ; mul_ y 3 ; hook y 'new' 'keep' ; z = sum y ; backward z ; see x.grad")

# modes: nested three deep
MODES = {'noGrad': 'noGrad', 'enableGrad': 'enableGrad', 'inferenceMode': 'inferenceMode', 'off': 'setGradEnabled false', 'on': 'setGradEnabled true', 'inferenceMode off': 'inferenceMode false'}
for depth in (1, 2, 3):
    for chosen in itertools.product(MODES, repeat=depth):
        if depth == 3 and len(set(chosen)) < 3 or depth == 3 and 'on' in chosen and 'enableGrad' in chosen or depth == 3 and 'off' in chosen and 'noGrad' in chosen:
            continue
        inner = 'modes ; y = mul x 2 ; see y.requiresGrad y.isLeaf'
        for name in reversed(chosen):
            inner = f'{MODES[name]} {{ {inner} ; modes }}'
        case(f'modes: {" in ".join(reversed(chosen))}', f'x = leaf [1] ; {inner} ; modes')
for mode in ('noGrad', 'inferenceMode'):
    case(f'modes: a factory under {mode}', f'{mode} {{ w = zerosOf [1] requiresGrad=true ; see w.requiresGrad w.isLeaf }}')
    case(f'modes: a view of a leaf under {mode}', f'x = leaf [1,2] ; {mode} {{ v = select x 0 0 ; see v.requiresGrad }}')
    case(f'modes: a detour under {mode}', f'x = leaf [1,2] ; y = mul x 3 ; {mode} {{ c = mul y 2 }} ; z = mul y 2 ; z = sum z ; backward z ; see x.grad c')
case('modes: backward under noGrad', 'x = leaf [1,2] ; y = mul x x ; y = sum y ; noGrad { backward y } ; see x.grad')
case('modes: gradients under enableGrad inside noGrad', 'x = leaf [1,2] ; noGrad { y = mul x 2 ; enableGrad { z = mul x y } } ; z = sum z ; backward z ; see x.grad')
inference = 'inferenceMode { t = const [1,2] }'
case('modes: an inference tensor is one', f'{inference} ; see t.isInference t.requiresGrad')
case('modes: an inference tensor where nothing is saved', f'{inference} ; x = leaf [1,1] ; y = add x t ; y = sum y ; backward y ; see x.grad')
refused('AutogradError', 'modes: an inference tensor where it is saved', f'{inference} ; x = leaf [1,1] ; y = mul x t')
refused('AutogradError', 'modes: an inference tensor written outside', f'{inference} ; add_ t 1')
refused('AutogradError', 'modes: an inference tensor is asked for gradients', f'{inference} ; requiresGrad_ t')
case('modes: a clone of an inference tensor', f'{inference} ; c = clone t ; see c.isInference ; x = leaf [1,1] ; y = mul x c ; y = sum y ; backward y ; see x.grad')
case('modes: an inference tensor written inside', f'{inference} ; inferenceMode {{ add_ t 1 }} ; see t')
case('modes: enableGrad inside inferenceMode', 'x = leaf [1] ; inferenceMode { enableGrad { y = mul x 2 ; see y.requiresGrad ; modes } }')

# hooks: every set of kinds, in PyTorch's order; then changes, removal and rubbish
KINDS = {'tensor': "hook y 'tensor' 'keep'", 'pre': "preHook y.gradFn 'pre' 'keep'", 'post': "postHook y.gradFn 'post' 'keep'", 'leaf': "hook x 'leaf' 'keep'", 'accumulate': "accumulateHook x 'accumulate'"}
for n in range(1, len(KINDS) + 1):
    for chosen in itertools.combinations(KINDS, n):
        order = list(reversed(chosen)) if n % 2 else chosen
        case(f'hooks: {" ".join(order)}', f'x = leaf [1,2] ; y = mul x x ; {" ; ".join(KINDS[k] for k in order)} ; z = sum y ; backward z ; see x.grad')
for first, second in itertools.product(('keep', 'double', 'add', 'zero'), repeat=2):
    case(f'hooks: {first} then {second} on a result', f"x = leaf [1,2] ; y = mul x x ; hook y 'a' '{first}' ; retainGrad y ; hook y 'b' '{second}' ; z = sum y ; backward z ; see x.grad y.grad")
    case(f'hooks: {first} then {second} on a leaf', f"x = leaf [1,2] ; y = mul x x ; hook x 'a' '{first}' ; hook x 'b' '{second}' ; z = sum y ; backward z ; see x.grad")
for how in ('double', 'add', 'zero'):
    case(f'hooks: {how} before the function', f"x = leaf [1,2] ; y = exp x ; preHook y.gradFn 'pre' '{how}' ; z = sum y ; backward z ; see x.grad")
    case(f'hooks: {how} after the function', f"x = leaf [1,2] ; y = exp x ; postHook y.gradFn 'post' '{how}' ; z = sum y ; backward z ; see x.grad")
for kind, error in (('number', 'ArgumentError'), ('longer', 'AutogradError')):
    refused(error, f'hooks: one that gives a {kind}', f"x = leaf [1,2] ; y = mul x x ; hook y 'a' '{kind}' ; z = sum y ; backward z")
refused('AutogradError', 'hooks: on a constant', "x = const [1] ; hook x 'a' 'keep'")
refused('AutogradError', 'hooks: after accumulation, on a result', "x = leaf [1] ; y = mul x 2 ; accumulateHook y 'a'")
for which in ('a', 'b'):
    case(f'hooks: {which} of two removed', f"x = leaf [1,2] ; y = mul x x ; a = hook y 'a' 'double' ; b = hook y 'b' 'add' ; remove {which} ; z = sum y ; backward z ; see x.grad")
case('hooks: removed between passes', "x = leaf [1,2] ; y = mul x x ; z = sum y ; a = hook y 'a' 'double' ; backward z retainGraph=true ; remove a ; backward z ; see x.grad")
case('hooks: later functions first', "x = leaf [1] ; a = mul x 2 ; b = mul x 3 ; hook a 'a' 'keep' ; hook b 'b' 'keep' ; c = add a b ; backward c")
case('hooks: later functions first, however they are used', "x = leaf [1] ; a = mul x 2 ; b = mul x 3 ; hook a 'a' 'keep' ; hook b 'b' 'keep' ; c = add b a ; backward c")
case('hooks: one call for a value that is used twice', "x = leaf [1] ; y = mul x 2 ; hook y 'y' 'keep' ; a = exp y ; b = sin y ; c = add a b ; backward c ; see x.grad")
case('hooks: not after accumulation for grad()', "x = leaf [1] ; accumulateHook x 'a' ; hook x 'h' 'double' ; y = mul x 2 ; g = grad [y] [x] ; see g")
for name, hook, take in (
    ('a result, grad() of it', "hook y 'a' 'double'", 'g = grad [z] [y] ; see g'), ('the function, grad() of its result', "preHook y.gradFn 'a' 'double'", 'g = grad [z] [y] ; see g'), ('the function, grad() of result and leaf', "preHook y.gradFn 'a' 'double'", 'g = grad [z] [y,x] ; see g'),
    ('a result, backward into it', "hook y 'a' 'double'", 'backward z inputs=[y] ; see y.grad'), ('a result, backward into it and the leaf', "hook y 'a' 'double'", 'backward z inputs=[y,x] ; see y.grad x.grad'), ('a result that retains, grad() of it', "hook y 'a' 'double' ; retainGrad y", 'g = grad [z] [y] ; see g y.grad'),
):  # fmt: skip
    case(f'hooks: on {name}', f'x = leaf [1,2] ; y = mul x 2 ; {hook} ; z = mul y y ; z = sum z ; {take}')
for mode in ('all', 'any'):
    case(f'hooks: on several, {mode}', f"x = leaf [1] ; w = leaf [2] ; u = leaf [3] ; multiHook [x,w,u] 'm' '{mode}' ; y = mul x w ; backward y ; see x.grad")
    case(f'hooks: on several, {mode}, twice', f"x = leaf [1] ; w = leaf [2] ; multiHook [x,w] 'm' '{mode}' ; y = mul x w ; backward y retainGraph=true ; backward y")

# saved: what hooks on saved tensors are handed, and what the gradient reads of what they give
SAVED = {'exp': 'exp x', 'sin': 'sin x', 'tanh': 'tanh x', 'sigmoid': 'sigmoid x', 'mul': 'mul x w', 'div': 'div x w', 'add': 'add x w', 'sum': 'sum x', 'sqrt': 'sqrt x', 'log': 'log x', 'neg': 'neg x', 'reshape': 'reshape x [2,1]', 'matmul': 'matmul x w', 'cos': 'cos x', 'reciprocal': 'reciprocal x', 'mulNumber': 'mul x 3'}
for (name, op), factor in itertools.product(SAVED.items(), (1, 2)):
    case(f'saved: {name}, unpacked times {factor}', f'x = leaf [1,2] ; w = leaf [3,0.5] ; savedHooks {factor} {{ y = {op} }} ; z = sum y ; backward z ; see x.grad w.grad')
case('saved: unpacked for each pass', 'x = leaf [1,2] ; savedHooks 1 { y = exp x } ; z = sum y ; backward z retainGraph=true ; backward z ; see x.grad')
case('saved: nothing under noGrad', 'x = leaf [1,2] ; savedHooks 1 { noGrad { y = exp x } } ; see y.requiresGrad')
case('saved: the innermost hooks', 'x = leaf [1,2] ; savedHooks 3 { savedHooks 2 { y = exp x } } ; z = sum y ; backward z ; see x.grad')

# checkpoint
for name, body in {'exp': 'y = exp x', 'a chain': 'y = sin x ; y = exp y ; y = mul y x', 'a captured weight': 'y = mul x w ; y = tanh y', 'a linear function': 'y = mul x 3', 'an op in place': 'y = mul x 2 ; mul_ y 3 ; y = sin y'}.items():
    start = 'x = leaf [0.5,1] ; w = leaf [2,3]'
    case(f'checkpoint: {name}', f'{start} ; z = checkpoint x {{ {body} ; give y }} ; z = sum z ; backward z ; see x.grad w.grad')
    case(f'checkpoint: {name}, grad()', f'{start} ; z = checkpoint x {{ {body} ; give y }} ; z = sum z ; g = grad [z] [x,w] allowUnused=true ; see g')
    case(f'checkpoint: {name}, two passes', f'{start} ; z = checkpoint x {{ {body} ; give y }} ; z = sum z ; backward z retainGraph=true ; backward z ; see x.grad w.grad')
case('checkpoint: under noGrad', 'x = leaf [1] ; noGrad { z = checkpoint x { y = exp x ; give y } } ; see z.requiresGrad z')
case('checkpoint: of a constant', 'x = const [1] ; w = leaf [2] ; z = checkpoint x { y = mul x w ; y = exp y ; give y } ; backward z ; see w.grad')
case('checkpoint: within a checkpoint', 'x = leaf [0.5] ; z = checkpoint x { y = sin x ; y = checkpoint y { y = exp y ; give y } ; y = cos y ; give y } ; backward z ; see x.grad')
case('checkpoint: one after another', 'x = leaf [0.5] ; y = checkpoint x { y = exp x ; y = sin y ; give y } ; z = checkpoint y { z = sin y ; z = exp z ; give z } ; backward z ; see x.grad')
case('checkpoint: twice the same operand', 'x = leaf [0.5] ; z = checkpoint x x { y = mul x x ; y = exp y ; give y } ; backward z ; see x.grad')

# promotion: the gradient has the dtype of the operand
VALUES = {'float32': '[1,2]', 'float64': '[0.5,4]', 'int32': '[2,3]', 'int64': '[3,1]', 'bool': '[1,0]', 'uint8': '[2,5]'}
for op in ('add', 'mul', 'sub', 'div', 'maximum', 'where'):
    for left, right in itertools.product(VALUES, repeat=2):
        if 'float' not in left + right or (op == 'sub' and 'bool' in (left, right)):
            continue
        make = lambda name, dtype: f"{name} = {'leaf' if 'float' in dtype else 'const'} {VALUES[dtype]} '{dtype}'"
        step = 'c = const [1,0] ; c = eq c 1 ; y = where c x w' if op == 'where' else f'y = {op} x w'
        case(f'promotion: {op} of {left} and {right}', f"{make('x', left)} ; {make('w', right)} ; {step} ; z = sum y ; backward z ; see y x.grad w.grad")
for left, right in (('float32', 'float64'), ('float64', 'float32'), ('float32', 'int64'), ('float64', 'bool')):
    make = 'leaf' if 'float' in right else 'const'
    case(f'promotion: {left} and a 0-d {right}', f"x = leaf [1,2] '{left}' ; w = {make} 3 '{right}'; y = mul x w ; z = sum y ; backward z ; see y x.grad w.grad")
for dtype in ('float64', 'float32'):
    case(f'promotion: through a cast to {dtype}', f"x = leaf [1,2] ; y = to x '{dtype}' ; y = mul y y ; z = sum y ; backward z ; see y x.grad")

# broadcast: the gradient has the shape of the operand
SHAPES = ['', '1', '3', '1,3', '2,1', '2,3', '2,1,3', '1,1', '0', '2,0']


def data(shape, seed):
    sizes = [int(n) for n in shape.split(',')] if shape else []
    n = 1
    for s in sizes:
        n *= s
    t = torch.tensor([(seed + 3 * k) % 7 - 2.5 for k in range(n)]).reshape(sizes)
    return json.dumps(t.tolist(), separators=(',', ':')).replace('.0,', ',').replace('.0]', ']')


for op in ('mul', 'div'):
    for left, right in itertools.product(SHAPES, repeat=2):
        try:
            torch.broadcast_shapes(*[[int(n) for n in s.split(',')] if s else [] for s in (left, right)])
        except RuntimeError:
            if op == 'mul':
                refused('ShapeError', f'broadcast: {op} of [{left}] and [{right}]', f'x = leaf {data(left, 1)} ; w = leaf {data(right, 2)} ; y = {op} x w')
            continue
        if '0' in left + right and ('2,0' in (left, right) or left.count(',') + right.count(',') > 1):
            continue
        if op == 'div' and (left >= right or '0' in left + right):
            continue
        case(f'broadcast: {op} of [{left}] and [{right}]', f'x = leaf {data(left, 1)} ; w = leaf {data(right, 2)} ; y = {op} x w ; z = sum y ; backward z ; see y x.grad w.grad')
for shape in ('3,2', '2,3,2', '1,2', '4,1,2'):
    case(f'broadcast: expand to [{shape}]', f'x = leaf [1,2] ; y = expand x [{shape}] ; z = mul y y ; z = sum z ; backward z ; see x.grad')

# kinks: subgradients where the slope jumps, is shared, or does not exist
POINTS = {
    'relu': ('relu x', '[0,-0,1,-1,nan]'), 'relu6': ('relu6 x', '[0,6,3,7]'), 'hardtanh': ('hardtanh x', '[-1,1,0,2]'), 'hardsigmoid': ('hardsigmoid x', '[-3,3,0]'), 'hardshrink': ('hardshrink x', '[0.5,-0.5,1]'), 'softshrink': ('softshrink x', '[0.5,-0.5,1]'),
    'threshold': ('threshold x 0 5', '[0,1,-1]'), 'hardswish': ('hardswish x', '[-3,3,0,4]'), 'leakyRelu': ('leakyRelu x', '[0,1,-1]'), 'elu': ('elu x', '[0,1,-1]'), 'selu': ('selu x', '[0,1,-1]'), 'celu': ('celu x', '[0,1,-1]'),
    'abs': ('abs x', '[0,-0,1,-2]'), 'sign': ('sign x', '[0,1]'), 'floor': ('floor x', '[0,1.5]'), 'round': ('round x', '[0.5,1.5]'), 'frac': ('frac x', '[0.5,1]'), 'clamp': ('clamp x -1 2', '[-1,2,0,3,-2]'), 'clamp with low above high': ('clamp x 2 1', '[0,1,2,3]'),
    'clamp from below': ('clamp x 0', '[0,1,-1]'), 'sqrt': ('sqrt x', '[0,-1,4]'), 'rsqrt': ('rsqrt x', '[0,4]'), 'log': ('log x', '[0,-1,2]'), 'reciprocal': ('reciprocal x', '[0,2]'), 'pow 0': ('pow x 0', '[0,1,-2]'), 'pow 1': ('pow x 1', '[0,2]'),
    'pow 2': ('pow x 2', '[0,-2]'), 'pow 0.5': ('pow x 0.5', '[0,4]'), 'pow of a number': ('pow 2 x', '[0,1]'), 'pow of zero': ('pow 0 x', '[1,2]'), 'square': ('square x', '[0]'), 'max of all': ('max x', '[1,1,1]'), 'max of all but one': ('max x', '[1,0,1]'), 'min of all': ('min x', '[2,1,1]'),
    'amax': ('amax x 0', '[1,1,0]'), 'amin': ('amin x 0', '[0,0,1]'), 'max over a dim': ('max x 0', '[1,3,3]'), 'min over a dim': ('min x 0', '[0,0,1]'), 'sort': ('sort x 0', '[1,1,0]'), 'topk': ('topk x 2', '[1,1,1]'),
    'median': ('median x', '[3,1,1,2]'), 'cummax': ('cummax x 0', '[1,1,0]'), 'norm': ('norm x', '[0,0]'), 'norm of one': ('vectorNorm x 1', '[0,1,-2]'), 'norm of infinity': ('vectorNorm x inf', '[2,-2,1]'), 'norm of zero': ('vectorNorm x 0', '[2,0,1]'), 'norm of three': ('vectorNorm x 3', '[0,0]'),
    'prod with a zero': ('prod x', '[0,2,3]'), 'prod with two zeros': ('prod x', '[0,0,3]'), 'cumprod with a zero': ('cumprod x 0', '[2,0,3]'), 'std of equals': ('std x', '[2,2,2]'), 'var of one': ('var x', '[1]'), 'logsumexp with infinity': ('logsumexp x 0', '[inf,1]'),
    'logsumexp of nothing': ('logsumexp x 0', '[-inf,-inf]'), 'softmax of nothing': ('softmax x 0', '[-inf,-inf]'), 'maxPool1d': ('maxPool1d x 2', '[[1,1,0,0]]'), 'tanh': ('tanh x', '[0,100,-100]'), 'sigmoid': ('sigmoid x', '[0,200,-200]'), 'logsigmoid': ('logsigmoid x', '[0,200,-200]'),
    'softplus': ('softplus x', '[0,30,-30]'), 'normalize': ('normalize x dim=0', '[0,0]'), 'mean of nothing': ('mean x', '[]'), 'asin': ('asin x', '[1,-1,0]'), 'acosh': ('acosh x', '[1,2]'), 'atanh': ('atanh x', '[1,0]'), 'log1p': ('log1p x', '[-1,0]'), 'trunc': ('trunc x', '[1.5,-1.5]'), 'erf': ('erf x', '[0,50]'),
    'maxPool2d': ('maxPool2d x 2', '[[[[1,1],[1,1]]]]'), 'median over a dim': ('median x 0', '[3,1,1,2]'),
    'nanToNum': ('nanToNum x', '[nan,inf,1]'), 'hypot with itself': ('hypot x x', '[0,1]'),
}  # fmt: skip
for name, (op, at) in POINTS.items():
    several = any(word in op for word in ('sort', 'topk', 'cummax')) or name in ('max over a dim', 'min over a dim', 'median over a dim')
    case(f'kinks: {name} at {at}', f'x = leaf {at} ; y = {op} ; z = sum {"y.0" if several else "y"} ; backward z ; see x.grad'.replace('y = max x ;', 'y = max x ;'))
TIES = {
    'maximum': ('maximum x w', '[1,2,3]', '[1,3,2]'), 'minimum': ('minimum x w', '[1,2,3]', '[1,3,2]'), 'fmax': ('fmax x w', '[1,nan,3]', '[1,2,nan]'), 'fmin': ('fmin x w', '[1,nan,3]', '[1,2,nan]'), 'maximum of nan': ('maximum x w', '[nan,1]', '[1,nan]'),
    'clamp by a tensor': ('clamp x w', '[1,2,3]', '[1,3,2]'), 'atan2': ('atan2 x w', '[0,1]', '[0,0]'), 'hypot': ('hypot x w', '[0,3]', '[0,4]'), 'xlogy': ('xlogy x w', '[0,0]', '[0,2]'), 'pow': ('pow x w', '[0,-2,2]', '[0,2,0.5]'), 'div': ('div x w', '[1,0]', '[0,0]'),
    'logaddexp': ('logaddexp x w', '[inf,-inf]', '[inf,-inf]'), 'remainder': ('remainder x w', '[4,-7]', '[2,2]'), 'fmod': ('fmod x w', '[4,-7]', '[2,2]'), 'copysign': ('copysign x w', '[0,-1]', '[1,1]'), 'prelu': ('prelu x w', '[0,-1,1]', '[0.25]'), 'l1Loss': ('l1Loss x w', '[1,2]', '[1,3]'),
    'smoothL1Loss': ('smoothL1Loss x w', '[1,2]', '[0,2]'), 'huberLoss': ('huberLoss x w', '[1,2]', '[0,2]'), 'dist': ('dist x w', '[1,2]', '[1,2]'), 'pairwiseDistance': ('pairwiseDistance x w', '[[1,2]]', '[[1,2]]'), 'cosineSimilarity': ('cosineSimilarity x w dim=0', '[0,0]', '[1,2]'),
    'mseLoss': ('mseLoss x w', '[1,2]', '[1,2]'), 'cdist': ('cdist x w', '[[1,2]]', '[[1,2],[1,3]]'), 'hingeEmbedding': ('maximum x.neg w', '[0,1]', '[0,-1]'),
}  # fmt: skip
for name, (op, left, right) in TIES.items():
    case(f'kinks: {name} of {left} and {right}', f'x = leaf {left} ; w = leaf {right} ; y = {op} ; z = sum y ; backward z ; see x.grad w.grad')
case('kinks: where a > b, a, b at a tie', 'x = leaf [1,2] ; w = leaf [1,3] ; c = gt x w ; y = where c x w ; z = sum y ; backward z ; see x.grad w.grad')
case('kinks: where x > 0, log x, 0 at 0', 'x = leaf [0,1] ; c = gt x 0 ; l = log x ; y = where c l 0 ; z = sum y ; backward z ; see x.grad')
case('kinks: x / 0, then masked', 'x = leaf [1,2] ; d = const [0,1] ; y = div x d ; m = ne d 0 ; z = maskedSelect y m ; z = sum z ; backward z ; see x.grad')
case('kinks: clamp between its own bounds', 'x = leaf [1,2] ; a = leaf [1,2] ; b = leaf [1,2] ; y = clamp x a b ; z = sum y ; backward z ; see x.grad a.grad b.grad')
refused('AutogradError', 'kinks: heaviside has no derivative', 'x = leaf [0,1] ; w = const [0.5,0.5] ; y = heaviside x w ; z = sum y ; backward z')

# sizes: nothing, and one of everything
OF_ANY = {
    'exp': 'exp x', 'relu': 'relu x', 'mul': 'mul x x', 'sum': 'sum x', 'mean': 'mean x', 'prod': 'prod x', 'softmax': 'softmax x 0', 'logSoftmax': 'logSoftmax x -1', 'cumsum': 'cumsum x 0', 'cumprod': 'cumprod x 0', 'flip': 'flip x [0]', 'cat': 'cat [x,x]', 'stack': 'stack [x,x]',
    'reshape': 'reshape x [-1]', 'var': 'var x', 'norm': 'norm x', 'amax': 'amax x', 'amax dim': 'amax x -1', 'argmax': 'argmax x', 'max': 'max x', 'sort': 'sort x', 'logsumexp': 'logsumexp x 0', 'clamp': 'clamp x 0 1', 'where': 'where x.isnan x x.neg', 'sum dim': 'sum x -1', 'mean dim': 'mean x 0',
    'triu': 'triu x', 'diagonal': 'diagonal x 0', 'transpose': 'transpose x 0 -1', 'narrow': 'narrow x 0 0 0', 'unbind': 'unbind x 0', 'chunk': 'chunk x 2', 'mseLoss': 'mseLoss x x.exp', 'matmul': 'matmul x.t x', 'median': 'median x', 'all': 'all x', 'any': 'any x', 'std dim': 'std x -1', 'roll': 'roll x 1', 'repeat': 'repeat x [2,3]',
}  # fmt: skip
for (name, op), data_of in itertools.product(OF_ANY.items(), ('[]', '[[],[]]', '[2]', '[[-1]]')):
    y = 'y.0' if name in ('sort', 'unbind', 'chunk') else 'y'
    start = f'x = leaf {data_of} ; y = {op}'
    if record(start)[1] is None and name in ('unbind', 'chunk') and record(f'{start} ; see {y}')[1] is not None:
        continue
    differentiated = name not in ('argmax', 'all', 'any')
    end = f'see {y} ; z = sum {y} ; backward z ; see x.grad' if differentiated else f'see {y}'
    message = record(start)[1] or ''
    error = 'IndexError' if 'Dimension' in message or name in ('amax', 'amax dim', 'argmax', 'max') else 'ShapeError' if any(w in message for w in ('size', 'shape', 'input.', '2 dim', 'dimension')) else 'ArgumentError'
    either(error, f'sizes: {name} of {data_of}', f'{start} ; {end}')

# dtypes: arithmetic of integers and bools, and what they cannot do
INTEGERS = {'int32': '[2147483647,-2147483648,7]', 'int64': '[5,-7,0]', 'uint8': '[255,0,7]', 'bool': '[1,0,1]'}
for (dtype, values), op in itertools.product(INTEGERS.items(), ('add x 1', 'sub x 1', 'mul x 2', 'neg x', 'add x x', 'mul x x', 'sub x x', 'abs x', 'sum x', 'prod x', 'mean x', 'cumsum x 0', 'exp x', 'div x 2', 'floorDivide x 2', 'remainder x 3', 'pow x 2', 'add x 0.5', 'maximum x x', 'clamp x 0 3', 'sort x', 'argmax x', 'amax x', 'softmax x 0', 'matmul x x', 'bitwiseNot x', 'logicalNot x')):  # fmt: skip
    y = 'y.0' if 'sort' in op else 'y'
    either('DTypeError', f'dtypes: {op} of {dtype}', f"x = const {values} '{dtype}' ; y = {op} ; see {y}")
for index in ('float32', 'bool', 'int32', 'int64'):
    either('DTypeError', f'dtypes: gather by {index}', f"x = const [1,2,3] ; i = const [1,0] '{index}' ; y = gather x 0 i ; see y")
    either('DTypeError', f'dtypes: indexSelect by {index}', f"x = const [1,2,3] ; i = const [1,0] '{index}' ; y = indexSelect x 0 i ; see y")
for left, right in itertools.permutations(('float32', 'float64', 'int64'), 2):
    for op in ('matmul', 'dot', 'linear'):
        shape = ('[[1,2]]', '[[1],[2]]') if op == 'matmul' else ('[1,2]', '[1,2]') if op == 'dot' else ('[[1,2]]', '[[3,4]]')
        either('DTypeError', f'dtypes: {op} of {left} and {right}', f"x = const {shape[0]} '{left}' ; w = const {shape[1]} '{right}' ; y = {op} x w ; see y")


def write():
    path = os.path.join(os.path.dirname(os.path.abspath(__file__)), 'autograd.json')
    names = [c['name'] for c in cases]
    assert len(set(names)) == len(names), {n for n in names if names.count(n) > 1}
    lines = ',\n'.join(json.dumps(c, separators=(',', ':'), allow_nan=False) for c in cases)
    with open(path, 'w') as file:
        file.write(f'{{"torch":"{VERSION}","cases":[\n{lines}\n]}}\n')
    print(f'{len(cases)} cases, {sum("error" in c for c in cases)} refused, {os.path.getsize(path)} bytes')


write()
