"""Trains with a Fluxion step on JAX/XLA: any number of devices and hosts, one text of the step for all layouts.

  python run.py --data train.safetensors --steps 1000 --mesh data=8
  python run.py ... --coordinator HOST:PORT --processes N --process I    (the same line on each host; --distributed under SLURM, MPI, GKE, TPU)

What each argument of the step is (a parameter, a moment, a batch, a number of the host) stands in the text of the step itself.
"""
import argparse, ast, contextlib, glob, importlib.util, json, math, operator, os, re, signal, struct, sys, time


class Refusal(Exception):
    """What the user can put right: shown as one line."""


def demand(condition, message):
    if not condition:
        raise Refusal(message)


if sys.version_info < (3, 11):
    sys.exit(f'run.py: Python 3.11 or later is needed, this is {sys.version.split()[0]}')
try:
    import numpy as np
    import jax
    import ml_dtypes
    from jax.extend.core import Primitive
    from jax.extend.mlir import ir
    from jax.extend.mlir.dialects import func
    from jax.interpreters import mlir
    from jax.sharding import Mesh, NamedSharding, PartitionSpec
except ImportError as missing:
    sys.exit(f'run.py: {missing}; install what requirements.txt lists: pip install -r requirements.txt')
if tuple(int(n) for n in jax.__version__.split('.')[:2]) < (0, 10):
    sys.exit(f'run.py: JAX 0.10 or later is needed, this is {jax.__version__}')
jax.config.update('jax_enable_x64', True)  # the step says of every value how wide it is


# --- safetensors ---------------------------------------------------------------------------------------------------------------------

STORED = {'F64': np.float64, 'F32': np.float32, 'F16': np.float16, 'BF16': ml_dtypes.bfloat16, 'I64': np.int64, 'I32': np.int32,
          'I16': np.int16, 'I8': np.int8, 'U8': np.uint8, 'U32': np.uint32, 'BOOL': np.bool_}
ELEMENTS = {'f64': np.float64, 'f32': np.float32, 'f16': np.float16, 'bf16': ml_dtypes.bfloat16, 'i64': np.int64, 'i32': np.int32,
            'ui8': np.uint8, 'ui32': np.uint32, 'i1': np.bool_}
NAMES = {np.dtype(v): k for k, v in STORED.items()}


def unique(pairs):
    demand(len(dict(pairs)) == len(pairs), 'a key stands twice')
    return dict(pairs)


def read_safetensors(path):
    """(name -> memory map, metadata): a host touches only the pages of the slices that it holds."""
    try:
        size = os.path.getsize(path)
        with open(path, 'rb') as f:
            head = f.read(8)
            demand(len(head) == 8, f'{size} bytes hold no header')
            n, = struct.unpack('<Q', head)
            demand(n <= 100_000_000 and 8 + n <= size, f'the header claims {n} bytes, the file has {size}')
            entries = json.loads(f.read(n).decode(), object_pairs_hook=unique)
        demand(isinstance(entries, dict), 'the header is no object')
        metadata = entries.pop('__metadata__', {})
        end = 0
        for name, e in sorted(entries.items(), key=lambda item: item[1]['data_offsets']):
            lo, hi = e['data_offsets']
            demand(lo == end and hi >= lo, f'"{name}" overlaps another tensor or leaves a hole')
            demand(e['dtype'] in STORED, f'"{name}" is of an unknown type {e["dtype"]}')
            demand(all(type(d) is int and d >= 0 for d in e['shape']), f'"{name}" has an impossible shape')
            bytes_ = math.prod(e['shape']) * np.dtype(STORED[e['dtype']]).itemsize
            demand(hi - lo == bytes_, f'"{name}" has {hi - lo} bytes, its shape needs {bytes_}')
            end = hi
        demand(8 + n + end == size, f'the header describes {8 + n + end} bytes, the file has {size} (cut off?)')

        def view(e):
            lo, hi = e['data_offsets']
            dtype = np.dtype(STORED[e['dtype']])
            return np.memmap(path, dtype, 'r', 8 + n + lo, tuple(e['shape'])) if hi > lo else np.zeros(e['shape'], dtype)

        return {k: view(e) for k, e in entries.items()}, metadata
    except OSError as error:
        raise Refusal(f'{path}: {error.strerror}') from None
    except (Refusal, ValueError, KeyError, TypeError, AttributeError) as error:
        raise Refusal(f'{path}: no safetensors file: {error}') from None


def write_safetensors(path, arrays, metadata):
    """Readers see the file before or the whole new one, whatever happens."""
    entries, offset = {'__metadata__': metadata}, 0
    for k, a in arrays.items():
        entries[k] = {'dtype': NAMES[a.dtype], 'shape': list(a.shape), 'data_offsets': [offset, offset + a.nbytes]}
        offset += a.nbytes
    text = json.dumps(entries).encode()
    text += b' ' * (-len(text) % 8)
    temporary = f'{path}.{os.getpid()}.tmp'
    try:
        with open(temporary, 'wb') as f:
            f.write(struct.pack('<Q', len(text)) + text)
            for a in arrays.values():
                f.write(np.ascontiguousarray(a).tobytes())
            f.flush()
            os.fsync(f.fileno())
        os.replace(temporary, path)
        folder = os.open(os.path.dirname(path) or '.', os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    except OSError as error:
        with contextlib.suppress(OSError):
            os.remove(temporary)
        raise Refusal(f'{path}: {error.strerror} ({8 + len(text) + offset} bytes are needed)') from None


# --- numbers of the host: learning rates, corrections of bias, streams of random numbers ---------------------------------------------------

OPERATORS = {ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul, ast.Div: operator.truediv, ast.Pow: operator.pow,
             ast.FloorDiv: operator.floordiv, ast.Mod: operator.mod, ast.USub: operator.neg, ast.UAdd: operator.pos,
             ast.Lt: operator.lt, ast.LtE: operator.le, ast.Gt: operator.gt, ast.GtE: operator.ge, ast.Eq: operator.eq, ast.NotEq: operator.ne}
FUNCTIONS = {'sqrt': math.sqrt, 'exp': math.exp, 'log': math.log, 'cos': math.cos, 'sin': math.sin, 'min': min, 'max': max}
CONSTANTS = {'pi': math.pi, 'inf': math.inf, 'nan': math.nan}


def expression(text):
    """A function of names (step, lr) from arithmetic, and nothing else of Python."""
    try:
        tree = ast.parse(text.strip(), mode='eval').body
    except SyntaxError:
        raise Refusal(f'"{text}" is no expression') from None

    def value(n, names):
        match n:
            case ast.Constant(value=v) if type(v) in (int, float): return v
            case ast.Name(id=name) if name in names: return names[name]
            case ast.Name(id=name) if name in CONSTANTS: return CONSTANTS[name]
            case ast.BinOp(left=l, op=op, right=r) if type(op) in OPERATORS: return OPERATORS[type(op)](value(l, names), value(r, names))
            case ast.UnaryOp(operand=x, op=op) if type(op) in OPERATORS: return OPERATORS[type(op)](value(x, names))
            case ast.Compare(left=l, ops=[op], comparators=[r]) if type(op) in OPERATORS: return OPERATORS[type(op)](value(l, names), value(r, names))
            case ast.IfExp(test=t, body=a, orelse=b): return value(a if value(t, names) else b, names)
            case ast.Call(func=ast.Name(id=f), args=args, keywords=[]) if f in FUNCTIONS: return FUNCTIONS[f](*(value(x, names) for x in args))
        raise Refusal(f'"{text}": {ast.unparse(n)} is none of numbers, + - * / ** // %, comparisons, {", ".join(FUNCTIONS)}, '
                      f'{", ".join([*CONSTANTS, *names])}')

    def evaluate(**names):
        try:
            return value(tree, names)
        except (ArithmeticError, ValueError, TypeError) as error:
            raise Refusal(f'"{text}" has no value at {names}: {error}') from None

    return evaluate


def user_function(place, what):
    """`file.py:name` as a function."""
    path, _, name = place.rpartition(':')
    try:
        spec = importlib.util.spec_from_file_location('fluxion_user', path)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return getattr(module, name)
    except (OSError, AttributeError, ImportError) as error:
        raise Refusal(f'{what} {place}: {error}') from None


def narrow(value, dtype):
    """A number as an argument of the step; integers wrap."""
    if dtype.kind not in 'iu':
        return dtype.type(value)
    bits = 8 * dtype.itemsize
    n = int(value) % 2**bits
    return dtype.type(n - 2**bits if dtype.kind == 'i' and n >= 2 ** (bits - 1) else n)


# --- the step ---------------------------------------------------------------------------------------------------------------------------


def largest_positive(columns):
    """Signs of eigenvectors and singular vectors as Fluxion has them: the largest element of each column is positive."""
    import jax.numpy as jnp
    if columns.size == 0:
        return jnp.ones((*columns.shape[:-2], 1, columns.shape[-1]), columns.dtype)
    at = jnp.argmax(jnp.abs(columns), axis=-2, keepdims=True)
    sign = jnp.where(jnp.take_along_axis(columns, at, axis=-2) < 0, -1, 1).astype(columns.dtype)
    return sign


def library(op, options):
    """Factorisations that XLA has as calls of a platform's library: JAX knows which."""
    import jax.numpy as jnp

    def lu(x):
        factors, pivots, permutation = jax.lax.linalg.lu(x)
        swaps = jnp.sum(pivots != jnp.arange(pivots.shape[-1], dtype=pivots.dtype), axis=-1)
        return factors, permutation.astype(np.int32), jnp.where(swaps % 2 == 0, 1, -1).astype(x.dtype)

    def qr(x):
        return tuple(jnp.linalg.qr(x, mode='complete' if options['complete'] else 'reduced'))

    def eigh(x):
        values, vectors = jnp.linalg.eigh(x, symmetrize_input=False)
        return values, vectors * largest_positive(vectors)

    def svd(x):
        u, s, vh = jnp.linalg.svd(x, full_matrices=options['full'])
        k = s.shape[-1]
        first = largest_positive(u[..., :k])
        pad = lambda n: jnp.concatenate([first, jnp.ones((*first.shape[:-1], n - k), x.dtype)], axis=-1)
        u, vh = u * pad(u.shape[-1]), vh * jnp.swapaxes(pad(vh.shape[-2]), -1, -2)
        if not options['full']:
            return u, s, vh
        # What completes the basis has no partner that would settle its signs.
        left, right = largest_positive(u), largest_positive(jnp.swapaxes(vh, -1, -2))
        u = jnp.concatenate([u[..., :k], u[..., k:] * left[..., k:]], axis=-1)
        vh = jnp.concatenate([vh[..., :k, :], vh[..., k:, :] * jnp.swapaxes(right, -1, -2)[..., k:, :]], axis=-2)
        return u, s, vh

    return {'lu': lu, 'qr': qr, 'eigh': eigh, 'svd': svd}[op]


def spliced(text):
    """The module with JAX's own text in the place of each declaration of a library function."""
    declaration = re.compile(r'^ *func\.func private @(\w+)\(tensor<([\dx]*?)x?(f\d+)>\) -> .* attributes \{fluxion\.library = "(\w+)"(.*)\}\n', re.M)

    def define(m):
        symbol, dims, element, op, rest = m.groups()
        options = {k: v == 'true' for k, v in re.findall(r'fluxion\.(\w+) = (true|false)', rest)}
        shape = tuple(int(d) for d in dims.split('x') if d)
        inner = jax.jit(library(op, options)).lower(jax.ShapeDtypeStruct(shape, ELEMENTS[element])).as_text()
        inner = inner[inner.index('func.func'):inner.rstrip().rindex('}')]
        for name in re.findall(r'func\.func (?:public |private )?@(\w+)', inner):
            inner = re.sub(rf'@{name}\b', f'@{symbol}' if name == 'main' else f'@{symbol}_{name}', inner)
        return inner.replace('func.func public', 'func.func private')

    return declaration.sub(define, text)


def on_mesh(text, axes):
    """Constraints of the step on the mesh at hand: axes that it lacks split nothing."""
    if 'sdy.mesh' not in text:
        return text
    grid = ', '.join(f'"{name}"={size}' for name, size in axes.items())
    text = re.sub(r'sdy\.mesh @mesh = <\[.*\]>', f'sdy.mesh @fluxion_mesh = <[{grid}]>', text)
    place = lambda m: re.sub(r'\{"(\w+)"\}', lambda a: a.group(0) if a.group(1) in axes else '{}', m.group(0))
    return re.sub(r'<@mesh, \[[^\]]*\]>', place, text).replace('<@mesh,', '<@fluxion_mesh,')


class Argument:
    """An argument or result of the step: role, shape, dtype, and what the exporter noted."""

    def __init__(self, type_, attributes):
        type_ = ir.RankedTensorType(type_)
        get = lambda a: a.value if isinstance(a, (ir.StringAttr, ir.IntegerAttr, ir.FloatAttr)) else str(a)
        notes = {a.name.removeprefix('fluxion.'): get(a.attr) for a in ir.DictAttr(attributes)}
        demand('role' in notes, 'an argument of the step has no fluxion.role')
        self.role, self.notes = notes['role'], notes
        self.kind, _, self.name = self.role.partition(':')
        self.shape, self.dtype = tuple(type_.shape), np.dtype(ELEMENTS[str(type_.element_type)])

    def text(self):
        return f'{self.dtype}{list(self.shape)}'


class Step:
    """A module as a function of arrays that JAX can jit, partition and donate to."""

    def __init__(self, path, text=None):
        try:
            self.text = spliced(open(path, encoding='utf-8').read() if text is None else text)
            with mlir.make_ir_context():
                module = ir.Module.parse(self.text)
                main = next((o for o in module.body.operations if isinstance(o, func.FuncOp) and o.name.value == 'main'), None)
                demand(main is not None, f'{path} has no function @main')
                self.inputs = [Argument(t, a) for t, a in zip(main.type.inputs, main.arg_attrs)]
                self.outputs = [Argument(t, a) for t, a in zip(main.type.results, main.result_attrs)]
                attributes = module.operation.attributes
                self.notes = {k: ir.StringAttr(attributes[f'fluxion.{k}']).value for k in ('mesh', 'rules', 'rates') if f'fluxion.{k}' in attributes}
        except OSError as error:
            raise Refusal(f'{path}: {error.strerror}') from None
        except ir.MLIRError as error:
            raise Refusal(f'{path}: no StableHLO text that this JAX reads: {str(error).splitlines()[-1]}') from None
        returned = {o.role for o in self.outputs}
        self.state = [a for a in self.inputs if a.kind not in ('batch', 'scalar', 'rng')]
        self.moving = [a for a in self.state if a.role in returned]
        self.fixed = [a for a in self.state if a.role not in returned]  # frozen parameters, tables
        self.given = [a for a in self.inputs if a not in self.state]

    def bind(self, axes):
        """The step on a mesh of these axes."""
        text, outputs = on_mesh(self.text, axes), self.outputs
        primitive = Primitive('fluxion_step')
        primitive.multiple_results = True
        primitive.def_abstract_eval(lambda *_: [jax.core.ShapedArray(o.shape, o.dtype) for o in outputs])

        def lower(context, *args):
            with context.module_context.context:
                module = ir.Module.parse(text)
            name = mlir.merge_mlir_modules(context.module_context.module, 'fluxion_step', module)
            types = [mlir.aval_to_ir_type(context.module_context, a) for a in context.avals_out]
            return func.CallOp(types, ir.FlatSymbolRefAttr.get(name), args).results

        mlir.register_lowering(primitive, lower)
        return lambda *args: primitive.bind(*args)


# --- layout -------------------------------------------------------------------------------------------------------------------------------


def mesh_axes(text):
    axes = {}
    for part in text.split(','):
        name, _, size = part.partition('=')
        demand(re.fullmatch(r'[A-Za-z_]\w*', name) and size.isdecimal() and int(size) > 0, f'--mesh {text}: write it as data=4,model=2')
        demand(name not in axes, f'--mesh {text}: the axis {name} stands twice')
        axes[name] = int(size)
    return axes


class Layout:
    """Which part of each argument lies on which device: the first rule that matches, else what follows from the role."""

    def __init__(self, axes, rules, step):
        n = math.prod(axes.values())
        demand(n <= jax.device_count(), f'the mesh {shown(axes)} needs {n} devices, {jax.device_count()} are here')
        self.axes, self.rules = axes, rules
        self.mesh = Mesh(np.asarray(jax.devices()[:n]).reshape(*axes.values()), tuple(axes))
        names = [a.role for a in step.inputs] + [a.name for a in step.state]
        for pattern, _ in rules:
            roles = ', '.join(sorted({a.role for a in step.inputs})[:8])
            demand(any(matches(pattern, name) for name in names), f'no argument is called {pattern}; there are {roles}, ...')
        for a in step.inputs:
            self.spec(a)

    def spec(self, a):
        applies = lambda pattern: matches(pattern, a.role) or (a.kind != 'batch' and matches(pattern, a.name))
        places = next((places for pattern, places in self.rules if applies(pattern)), None)
        if places is None:
            places = ('data',) if a.kind == 'batch' and 'data' in self.axes and len(a.shape) > 0 else ()
        places = tuple(p or None for p in places)
        places = tuple(p if p in self.axes else None for p in places)
        if not a.shape:
            return PartitionSpec()
        demand(len(places) <= len(a.shape), f'{a.role} has {len(a.shape)} axes, its rule {len(places)}')
        for size, place in zip(a.shape, places):
            demand(place is None or size % self.axes[place] == 0, f'{a.role} has {size} where the mesh cuts it into {self.axes.get(place)} ({place})')
        return PartitionSpec(*places)

    def of(self, a):
        return NamedSharding(self.mesh, self.spec(a))

    def stacked(self, a):
        return NamedSharding(self.mesh, PartitionSpec(None, *self.spec(a)))


def matches(pattern, name):
    return re.fullmatch('.*'.join(re.escape(part) for part in pattern.split('*')), name, re.S) is not None


def shown(axes):
    return ','.join(f'{k}={v}' for k, v in axes.items())


def rule(text):
    pattern, equals, places = text.rpartition('=')
    demand(equals and pattern, f'--shard {text}: write it as NAME=axis,axis with nothing where it is not cut')
    return pattern, tuple(places.split(','))


# --- data ---------------------------------------------------------------------------------------------------------------------------------


class Rows:
    """Batches from arrays of rows: whole batches in order, or in an order that the seed and the epoch decide. Each host reads its rows only."""

    def __init__(self, arrays, batch, shuffle):
        self.arrays, self.shuffle, self.orders = arrays, shuffle, {}
        for a in batch:
            rows = arrays[a.name]
            demand(rows.shape[1:] == a.shape[1:] and rows.dtype == a.dtype,
                   f'{a.name}: the step wants rows of {a.dtype}{list(a.shape[1:])}, the data have {rows.dtype}{list(rows.shape[1:])}')
            demand(len(rows) >= a.shape[0], f'{a.name}: a batch takes {a.shape[0]} rows, the data have {len(rows)}')
        self.counts = {a.name: len(arrays[a.name]) // a.shape[0] for a in batch}
        lengths = {a.name: len(arrays[a.name]) for a in batch}
        demand(len(set(lengths.values())) <= 1,
               f'the data have different numbers of rows: {", ".join(f"{name} {n}" for name, n in lengths.items())}')

    def read(self, step, a, index):
        size, count = a.shape[0], self.counts[a.name]
        epoch, lo = step // count, step % count * size
        rows = self.arrays[a.name]
        if self.shuffle is None:
            return rows[lo:lo + size][index]
        if epoch not in self.orders:
            self.orders = {epoch: np.random.default_rng([self.shuffle, epoch]).permutation(len(rows))}
        # In the order of the file, the same for every argument and layout, so that rows stay together.
        return rows[np.sort(self.orders[epoch][lo:lo + size])[index[0]]][(slice(None), *index[1:])]


class Stream:
    """Batches from a function `next_batch(step, rows)` that gives the rows of the global batch that it is asked for, by name."""

    def __init__(self, function):
        self.function, self.known = function, {}

    def read(self, step, a, index):
        lo, hi, _ = index[0].indices(a.shape[0])
        key = (step, lo, hi)
        if key not in self.known:
            self.known = {k: v for k, v in self.known.items() if k[0] >= step - 1}
            self.known[key] = self.function(step, slice(lo, hi))
        got = self.known[key]
        demand(a.name in got, f'the function for data gives no "{a.name}"')
        rows = np.asarray(got[a.name], a.dtype)
        wanted = (hi - lo, *a.shape[1:])
        demand(rows.shape == wanted, f'{a.name}: the function for data gave {list(rows.shape)}, {list(wanted)} were wanted')
        return rows[(slice(None), *index[1:])]


def source(places, step, shuffle):
    batch = [a for a in step.inputs if a.kind == 'batch']
    if not batch:
        return None
    demand(places, f'--data is missing: the step takes {", ".join(f"{a.name} {a.text()}" for a in batch)}')
    if re.search(r'\.py:\w+$', places[0]):
        return Stream(user_function(places[0], '--data'))
    arrays = {}
    for place in places:
        name, equals, path = place.partition('=')
        if equals and path.endswith('.npy'):
            try:
                arrays[name] = np.load(path, mmap_mode='r', allow_pickle=False)
            except (OSError, ValueError) as error:
                raise Refusal(f'{path}: {error}') from None
        else:
            arrays.update({k.removeprefix('batch:'): v for k, v in read_safetensors(place)[0].items()})
    for a in batch:
        demand(a.name in arrays, f'--data: no rows are called "{a.name}"; there are {", ".join(arrays) or "none"}')
    return Rows(arrays, batch, shuffle)


def checked(a, values):
    """Indices are checked here, since XLA would read another row in silence."""
    if 'below' in a.notes and values.size:
        bad = ((values < 0) | (values >= a.notes['below'])) & (values != a.notes.get('except'))
        if bad.any():
            at = np.unravel_index(int(np.argmax(bad)), bad.shape)
            raise Refusal(f'{a.role}: {values[at]} at {list(map(int, at))} of its rows is out of bounds: it must lie in 0..{a.notes["below"] - 1}')
    return np.ascontiguousarray(values)


# --- training -------------------------------------------------------------------------------------------------------------------------------


def starting_state(options, step):
    """The newest whole checkpoint where one is asked for, else the given state: (arrays, metadata, where from)."""
    candidates = [options.state]
    if options.resume:
        candidates = sorted(glob.glob(os.path.join(options.out, 'checkpoint-*.safetensors')), reverse=True) + candidates
    for i, path in enumerate(candidates):
        try:
            arrays, metadata = read_safetensors(path)
            break
        except Refusal as refusal:
            if i == len(candidates) - 1:
                raise
            print(f'{refusal}; taking the one before', file=sys.stderr)
    for a in step.state:
        demand(a.role in arrays, f'{path}: no tensor "{a.role}"')
        got = arrays[a.role]
        demand(got.shape == a.shape and got.dtype == a.dtype,
               f'{path}: {a.role}: the step wants {a.text()}, the file has {got.dtype}{list(got.shape)}')
    return arrays, metadata, path


def rates(options, step):
    """Learning rates by name, as functions of the step."""
    defaults = json.loads(step.notes.get('rates', '{}'))
    chosen = {name: (lambda step, v=v: v) for name, v in defaults.items()}
    for text in options.lr:
        name, equals, formula = text.partition('=') if re.match(r'\w+=[^=]', text) else ('', '', text)
        demand(defaults, '--lr: the step takes no learning rate')
        names = [name] if equals else list(defaults)
        for n in names:
            demand(n in defaults, f'--lr {text}: there is no rate {n}; there are {", ".join(defaults)}')
            formula_ = formula if equals else text
            f = user_function(formula_, '--lr') if re.search(r'\.py:\w+$', formula_) else (lambda step, e=expression(formula_): e(step=step))
            chosen[n] = f
    return chosen


def launcher(step, layout, count):
    """`count` steps in one launch: (moving state, fixed state, batches and numbers) to the state after them and the results, stacked if several."""
    bound = step.bind(layout.axes)
    moving = [a.role for a in step.moving]
    results = [i for i, o in enumerate(step.outputs) if o.role not in moving]

    def one(state, fixed, rest):
        args = {a.role: x for a, x in [*zip(step.moving, state), *zip(step.fixed, fixed), *zip(step.given, rest)]}
        outs = bound(*(args[a.role] for a in step.inputs))
        new = {o.role: x for o, x in zip(step.outputs, outs)}
        return [new[role] for role in moving], [outs[i] for i in results]

    def several(state, fixed, rest):
        return jax.lax.scan(lambda state, rest: one(state, fixed, rest), state, rest)

    kept = [layout.of(a) for a in step.moving]
    place = layout.of if count == 1 else layout.stacked
    ins = (kept, [layout.of(a) for a in step.fixed], [place(a) for a in step.given])
    outs = (kept, [NamedSharding(layout.mesh, PartitionSpec())] * len(results))
    return jax.jit(one if count == 1 else several, in_shardings=ins, out_shardings=outs, donate_argnums=0)


def explained(compiled, layout):
    """What XLA made of the step: collectives by kind, and how much of each argument a device holds."""
    text = compiled.as_text()
    kinds = ('all-reduce', 'all-gather', 'reduce-scatter', 'all-to-all', 'collective-permute')
    counts = {k: len(re.findall(rf' {k}(?:-start)?\(', text)) for k in kinds}
    found = ', '.join(f'{n} {k}' for k, n in counts.items() if n) or 'none'
    memory = compiled.memory_analysis()
    print(f'mesh {shown(layout.axes)}: collectives per step: {found}')
    if memory is not None:
        print(f'per device: {memory.argument_size_in_bytes} bytes of arguments, {memory.temp_size_in_bytes} of temporaries, '
              f'{memory.alias_size_in_bytes} updated in place')


def train(options):
    if options.coordinator or options.distributed:
        if options.coordinator:
            demand(options.processes and options.process is not None, '--coordinator wants --processes N and --process I')
        jax.distributed.initialize(options.coordinator, options.processes, options.process, heartbeat_timeout_seconds=options.heartbeat)
    first = jax.process_index() == 0
    step = Step(options.step)
    axes = mesh_axes(options.mesh or step.notes.get('mesh') or 'data=1')
    rules = [rule(r) for r in options.shard] + [(p, tuple(x or '' for x in places)) for p, places in json.loads(step.notes.get('rules', '[]'))]
    layout = Layout(axes, rules, step)
    schedule = rates(options, step)
    numbers = {a.role: expression(a.notes['value']) for a in step.inputs if a.kind in ('scalar', 'rng')}
    arrays, metadata, start = starting_state(options, step)
    done = int(metadata.get('step', 0))
    data = source(options.data, step, options.shuffle)
    for a in step.inputs:
        if a.role in numbers:
            numbers[a.role](step=done, **{n: f(step=done) for n, f in schedule.items()})  # mistakes come to light before the first step
    try:
        os.makedirs(options.out, exist_ok=True)
    except OSError as error:
        raise Refusal(f'--out {options.out}: {error.strerror}') from None
    if first:
        for stale in glob.glob(os.path.join(options.out, '*.safetensors.*.tmp')):
            os.remove(stale)
        processes = f'{jax.process_count()} process{"es" if jax.process_count() > 1 else ""}'
        print(f'{math.prod(axes.values())} devices, mesh {shown(axes)}, {processes}; from {start} at step {done}', flush=True)

    moving = {a.role for a in step.moving}
    results_of = [o.role for o in step.outputs if o.role not in moving]
    shown_result = results_of.index('loss') if 'loss' in results_of else None
    put = lambda a: jax.make_array_from_callback(a.shape, layout.of(a), lambda index: np.ascontiguousarray(arrays[a.role][index]))
    state, fixed = [put(a) for a in step.moving], [put(a) for a in step.fixed]
    gather = jax.jit(lambda xs: xs, out_shardings=NamedSharding(layout.mesh, PartitionSpec()))

    def number(a, k):
        return narrow(numbers[a.role](step=k, **{n: f(step=k) for n, f in schedule.items()}), a.dtype)

    def argument(a, k, count):
        if a.kind in ('scalar', 'rng'):
            value = number(a, k) if count == 1 else np.asarray([number(a, k + i) for i in range(count)], a.dtype)
            return jax.make_array_from_callback(np.shape(value), layout.of(a) if count == 1 else layout.stacked(a), lambda _: value)
        if count == 1:
            return jax.make_array_from_callback(a.shape, layout.of(a), lambda index: checked(a, data.read(k, a, index)))
        stacked = lambda index: np.stack([checked(a, data.read(k + i, a, index[1:])) for i in range(count)])
        return jax.make_array_from_callback((count, *a.shape), layout.stacked(a), stacked)

    def save(name):
        whole = gather([*state, *fixed])  # all processes take part, one writes
        if first:
            named = {a.role: np.asarray(x) for a, x in zip([*step.moving, *step.fixed], whole)}
            write_safetensors(os.path.join(options.out, name), named, {**metadata, 'step': str(done)})

    launches, interrupted = {}, []
    if jax.process_count() == 1:  # with several, the scheduler stops them all
        signal.signal(signal.SIGINT, lambda *_: (interrupted.append(True), signal.signal(signal.SIGINT, signal.SIG_DFL)))
    end, since, reported = options.steps, time.perf_counter(), done
    while done < end and not interrupted:
        count = min(options.steps_per_launch, end - done)
        if options.save_every:
            count = min(count, options.save_every - done % options.save_every)
        args = [argument(a, done, count) for a in step.given]
        if count not in launches:
            compiled = launcher(step, layout, count).lower(state, fixed, args).compile()
            if options.explain and first:
                explained(compiled, layout)
            launches[count] = compiled
            since, reported = time.perf_counter(), done
        state, results = launches[count](state, fixed, args)
        before, done = done, done + count
        if done // options.log_every > before // options.log_every or done == end:
            loss = '' if shown_result is None else f'  loss {float(np.asarray(results[shown_result]).reshape(-1)[-1]):.9g}'
            jax.block_until_ready(state)
            now = time.perf_counter()
            if first:
                print(f'step {done}{loss}  {(done - reported) / max(now - since, 1e-9):.1f} steps/s', flush=True)
            since, reported = now, done
        if options.save_every and done % options.save_every == 0:
            save(f'checkpoint-{done:09d}.safetensors')
            if first:
                for old in sorted(glob.glob(os.path.join(options.out, 'checkpoint-*.safetensors')))[:-options.keep]:
                    os.remove(old)
    save('final.safetensors')
    if interrupted:
        sys.exit(130)


def arguments(argv):
    here = os.path.dirname(os.path.abspath(__file__))
    p = argparse.ArgumentParser(prog='run.py', description='Trains with a Fluxion step on JAX/XLA.')
    p.add_argument('step', nargs='?', default=os.path.join(here, 'step.mlir'), help='the step; beside this file unless given')
    p.add_argument('--state', default=os.path.join(here, 'init.safetensors'), help='what training starts from')
    p.add_argument('--data', action='append', default=[], metavar='FILE',
                   help='rows: a safetensors file, NAME=FILE.npy for each, or FILE.py:next_batch')
    p.add_argument('--steps', type=int, default=100, help='the step at which training ends, counted from the export')
    p.add_argument('--mesh', help='axes of devices: data=4,model=2')
    p.add_argument('--shard', action='append', default=[], metavar='NAME=axis,axis', help='how tensors of that name are cut; * stands for anything')
    p.add_argument('--lr', action='append', default=[],
                   help='learning rate: a number, an expression of `step`, or FILE.py:function; NAME=... for one of several')
    p.add_argument('--shuffle', type=int, metavar='SEED', help='take rows in another order each epoch')
    p.add_argument('--steps-per-launch', type=int, default=1)
    p.add_argument('--log-every', type=int, default=10)
    p.add_argument('--out', default=here, help='where final.safetensors and checkpoints go')
    p.add_argument('--save-every', type=int, default=0, metavar='STEPS')
    p.add_argument('--keep', type=int, default=2, help='checkpoints that are kept')
    p.add_argument('--resume', action='store_true', help='go on from the newest checkpoint')
    p.add_argument('--explain', action='store_true', help='count the collectives that XLA inserted')
    p.add_argument('--check', action='store_true', help='read the step and its state, and end')
    p.add_argument('--distributed', action='store_true', help='let JAX find the cluster (SLURM, Open MPI, GKE, TPU)')
    p.add_argument('--coordinator', metavar='HOST:PORT')
    p.add_argument('--processes', type=int)
    p.add_argument('--process', type=int)
    p.add_argument('--heartbeat', type=int, default=30, help='seconds until a dead peer stops the others')
    options = p.parse_args(argv)
    for name in ('steps', 'steps_per_launch', 'log_every', 'keep'):
        demand(getattr(options, name) > 0, f'--{name.replace("_", "-")} must be positive')
    return options


def main(argv=None):
    try:
        options = arguments(argv)
        if options.check:
            step = Step(options.step)
            _, metadata, path = starting_state(options, step)
            print(f'{options.step}: {len(step.inputs)} arguments, {len(step.outputs)} results; {path} fits, at step {metadata.get("step", 0)}')
        else:
            train(options)
    except Refusal as refusal:
        print(f'run.py: {refusal}', file=sys.stderr, flush=True)
        if jax.process_count() > 1:
            os._exit(2)  # leaving in order would wait for the peers, which wait for this one
        sys.exit(2)


if __name__ == '__main__':
    main()
