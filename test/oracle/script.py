# Runs scripts of autograd steps in PyTorch: the other interpreter of the language is script.ts, which runs them in Fluxion.
#
# A script is steps with `;` between them. A step is a verb and its operands, perhaps with a name for what it gives:
#
#   x = leaf [1,2,3] ; y = mul x 2 ; backward y [1,1,1] ; see x.grad
#
# An operand is a name (`x`, `x.grad`, `parts.0`), a number, `true`, `false`, `null`, a list (`[1,[2,inf]]`, `[x,y]`), a word in quotes
# (`'int32'`), or an option (`retainGraph=true`). Where a tensor is wanted a list is one. Names are Fluxion's; PyTorch's follow from them.
# A verb is one of those below, or a method of its first operand, or a function. What stands in braces is run under the verb before it:
#
#   noGrad { y = mul x 2 }      z = checkpoint x { y = exp x ; give y }
#
# `see` writes down what its operands are: tensors as nested lists (with the dtype, where that is not float32), functions as their names.
# Hooks write down their names when they are called.
import math
import re

import torch
from torch.utils.checkpoint import checkpoint

from case import DTYPES

BY_NAME = {name: dtype for dtype, name in DTYPES.items()} | {'float16': torch.float16}


def snake(name):
    return re.sub(r'[A-Z]', lambda m: '_' + m.group(0).lower(), name)


def tokens(text):
    return re.sub(r'([;{}])', r' \1 ', text).split()


def rounded(x):
    """Seven digits are what float32 holds, and what is compared."""
    if isinstance(x, list):
        return [rounded(v) for v in x]
    if isinstance(x, float):
        if math.isnan(x) or math.isinf(x):
            return {math.inf: 'Infinity', -math.inf: '-Infinity'}.get(x, 'NaN')
        short = float(f'{x:.7g}')
        return int(short) if short == int(short) and abs(short) < 1e15 else short
    return x


def shown(x):
    if isinstance(x, torch.Tensor):
        data = rounded(x.detach().tolist())
        return data if x.dtype == torch.float32 else {DTYPES.get(x.dtype, 'float16'): data}
    if isinstance(x, (list, tuple)):
        return [shown(v) for v in x]
    if isinstance(x, torch.autograd.graph.Node):
        return x.name().removeprefix('torch::autograd::')
    if isinstance(x, torch.dtype):
        return DTYPES[x]
    return rounded(x)


def changed(how, g):
    """What a hook gives for a gradient."""
    match how:
        case 'keep':
            return None
        case 'double':
            return g * 2
        case 'add':
            return g + 1
        case 'zero':
            return torch.zeros_like(g)
        case 'number':
            return 3.0
        case 'longer':
            return torch.cat([g, g])
    raise ValueError(f'no hook is called {how}')


BLOCKS = {'noGrad': torch.no_grad, 'enableGrad': torch.enable_grad, 'inferenceMode': torch.inference_mode, 'setGradEnabled': torch.set_grad_enabled}


class Script:
    def __init__(self, text):
        self.tokens = tokens(text)
        self.at = 0
        self.seen = []

    def run(self):
        self.steps({})
        return self.seen

    def steps(self, names):
        """Runs until the end or the closing brace; gives what `give` was told."""
        given = None
        while self.at < len(self.tokens) and self.tokens[self.at] != '}':
            if self.tokens[self.at] == ';':
                self.at += 1
                continue
            words = []
            while self.at < len(self.tokens) and self.tokens[self.at] not in (';', '{', '}'):
                words.append(self.tokens[self.at])
                self.at += 1
            target = words[0] if len(words) > 1 and words[1] == '=' else None
            verb, *rest = words[2:] if target else words
            if verb == 'give':
                given = self.value(rest[0], names)
                continue
            block = self.at if self.at < len(self.tokens) and self.tokens[self.at] == '{' else None
            result = self.step(verb, rest, names, block)
            if target:
                names[target] = result
        self.at += 1
        return given

    def block(self, start, names):
        self.at = start + 1
        return self.steps(names)

    def skip(self, start):
        """Leaves the reader behind the block."""
        depth, at = 0, start
        while True:
            depth += {'{': 1, '}': -1}.get(self.tokens[at], 0)
            at += 1
            if depth == 0:
                self.at = at
                return

    def value(self, word, names):
        if word.startswith("'"):
            return BY_NAME.get(word[1:-1], word[1:-1])
        if word.startswith('['):
            parts, depth, start = [], 0, 1
            for i, ch in enumerate(word):
                depth += {'[': 1, ']': -1}.get(ch, 0)
                if (ch == ',' and depth == 1) or i == len(word) - 1:
                    parts.append(word[start:i])
                    start = i + 1
            return [self.value(p, names) for p in parts if p]
        if word in ('true', 'false', 'null'):
            return {'true': True, 'false': False, 'null': None}[word]
        try:
            return int(word) if re.fullmatch(r'-?\d+', word) else float(word)
        except ValueError:
            first, *path = word.split('.')
            found = names[first]
            for part in path:
                found = found[int(part)] if part.isdigit() else getattr(found, snake(part))
                if part == 'retainsGrad' or part == 'isLeaf' or part == 'requiresGrad':
                    found = bool(found)
            return found() if callable(found) and not isinstance(found, torch.autograd.graph.Node) and not isinstance(found, torch.Tensor) else found

    def step(self, verb, rest, names, block):
        assert verb.isidentifier(), verb
        options = {}
        args = []
        for word in rest:
            if '=' in word:
                key, value = word.split('=', 1)
                options[snake(key)] = self.value(value, names)
            else:
                args.append(self.value(word, names))
        if verb in BLOCKS:
            with BLOCKS[verb](*args):
                return self.block(block, names)
        special = getattr(self, f'do_{verb}', None)
        if special:
            return special(args, options, names, rest, block)
        return call(verb, args, options)

    def do_leaf(self, args, options, *_):
        return torch.tensor(args[0], dtype=args[1] if len(args) > 1 else torch.float32, requires_grad=True)

    def do_const(self, args, options, *_):
        return torch.tensor(args[0], dtype=args[1] if len(args) > 1 else torch.float32)

    def do_zerosOf(self, args, options, *_):
        return torch.zeros(args[0], **options)

    def do_see(self, args, options, *_):
        self.seen.extend(shown(a) for a in args)

    def do_same(self, args, options, *_):
        self.seen.append(args[0] is args[1])

    def do_modes(self, *_):
        self.seen.append([torch.is_grad_enabled(), torch.is_inference_mode_enabled()])

    def do_backward(self, args, options, *_):
        root, *gradient = args
        if isinstance(root, list):
            torch.autograd.backward(root, [tensor(g) for g in gradient[0]] if gradient else None, **options)
        else:
            root.backward(*[tensor(g) for g in gradient], **options)

    def do_grad(self, args, options, *_):
        if 'grad_outputs' in options:
            options['grad_outputs'] = [None if g is None else tensor(g) for g in options['grad_outputs']]
        return list(torch.autograd.grad(*args, **options))

    def do_setGrad(self, args, *_):
        args[0].grad = None if args[1] is None else tensor(args[1], args[2] if len(args) > 2 else torch.float32)

    def do_setRequiresGrad(self, args, *_):
        args[0].requires_grad = args[1]

    def do_setAt(self, args, *_):
        x, index, value = args
        x[tuple(index)] = tensor(value) if isinstance(value, list) else value
        return x

    def do_hook(self, args, *_):
        t, name, how = args

        def hook(g):
            self.seen.append(name)
            return changed(how, g)

        return t.register_hook(hook)

    def do_preHook(self, args, *_):
        fn, name, how = args

        def hook(grads):
            self.seen.append(name)
            return None if how == 'keep' else tuple(changed(how, g) for g in grads)

        return fn.register_prehook(hook)

    def do_postHook(self, args, *_):
        fn, name, how = args

        def hook(grads, _):
            self.seen.append(name)
            return None if how == 'keep' else tuple(None if g is None else changed(how, g) for g in grads)

        return fn.register_hook(hook)

    def do_accumulateHook(self, args, *_):
        t, name = args
        return t.register_post_accumulate_grad_hook(lambda leaf: self.seen.append([name, shown(leaf.grad)]))

    def do_multiHook(self, args, *_):
        ts, name, mode = args
        return torch.autograd.graph.register_multi_grad_hook(ts, lambda g: self.seen.append([name, shown(g)]), mode=mode)

    def do_vectorNorm(self, args, *_):
        return args[0].norm(float(args[1]))

    def do_is(self, args, *_):
        return args[0]

    def do_where(self, args, *_):
        return torch.where(*args)

    def do_remove(self, args, *_):
        args[0].remove()

    def do_savedHooks(self, args, options, names, rest, block):
        """Packs and unpacks are written down; what is unpacked is what was packed, times a factor."""
        factor = args[0]

        def pack(t):
            self.seen.append('pack')
            return t.detach().clone()

        def unpack(t):
            self.seen.append('unpack')
            return t * factor

        with torch.autograd.graph.saved_tensors_hooks(pack, unpack):
            return self.block(block, names)

    def do_checkpoint(self, args, options, names, rest, block):
        def f(*xs):
            self.seen.append('run')
            after = self.at
            try:
                return self.block(block, names | dict(zip(rest, xs)))
            finally:
                # PyTorch leaves the second run by an exception when it has seen enough.
                self.at = after

        result = checkpoint(f, *args, use_reentrant=False)
        self.skip(block)
        return result


def tensor(x, dtype=torch.float32):
    return x if isinstance(x, torch.Tensor) or x is None else torch.tensor(x, dtype=dtype)


def call(verb, args, options):
    name = snake(verb)
    if isinstance(args[0], torch.Tensor) and hasattr(torch.Tensor, name):
        result = getattr(args[0], name)(*args[1:], **options)
    else:
        f = next(getattr(space, n) for space in (torch, torch.nn.functional, torch.linalg) for n in (name, verb) if hasattr(space, n))
        result = f(*args, **options)
    return list(result) if isinstance(result, tuple) else result


def record(text):
    """What a script writes down, and the message with which PyTorch refused a step of it, if it did."""
    script = Script(text)
    try:
        return script.run(), None
    except (RuntimeError, IndexError, ValueError, TypeError, NotImplementedError) as error:
        return script.seen, str(error).strip().split('\n')[0]
