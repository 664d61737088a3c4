"""Times exported steps beside the same steps written in JAX by hand: `scale.py RUNNER FOLDER`, one JSON line for each NAME.json there.

Both are jitted alike, with donated state, in one process, in turns.
"""
import glob, importlib.util, json, os, statistics, sys, time
import numpy as np

def module(path):
    spec = importlib.util.spec_from_file_location(os.path.basename(path).removesuffix('.py'), path)
    found = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(found)
    return found

run = module(sys.argv[1])
models = module(os.path.join(os.path.dirname(os.path.abspath(__file__)), 'peers', 'models.py'))
import jax, jax.numpy as jnp


def exported(base):
    """A call of the exported step, as run.py makes it: state stays on the device, numbers of the host are made anew."""
    step = run.Step(f'{base}.mlir')
    arrays, _ = run.read_safetensors(f'{base}.safetensors')
    layout = run.Layout({'data': 1}, [], step)
    numbers = [(a, run.expression(a.notes['value'])) for a in step.inputs if a.kind in ('scalar', 'rng')]
    rates = json.loads(step.notes['rates'])
    held = {'state': [jnp.asarray(arrays[a.role]) for a in step.moving], 'k': 0}
    fixed = [jnp.asarray(arrays[a.role]) for a in step.fixed]
    given = lambda: [run.narrow(f(step=held['k'], **rates), a.dtype) for a, f in numbers]
    compiled = run.launcher(step, layout, 1).lower(held['state'], fixed, given()).compile()

    def call():
        held['state'], results = compiled(held['state'], fixed, given())
        held['k'] += 1
        return jax.block_until_ready(results)[0]

    return call


def by_hand(base, about):
    inputs = [jnp.asarray(np.fromfile(i['file'], dtype=i['dtype']).reshape(i['shape'])) for i in about['inputs']]
    n = about['state']
    data, held = inputs[n:], {'state': [jnp.array(x) for x in inputs[:n]]}
    compiled = jax.jit(models.xla_step(about['xla']), donate_argnums=tuple(range(n))).lower(*held['state'], *data).compile()

    def call():
        out = jax.block_until_ready(compiled(*held['state'], *data))
        held['state'] = list(out[:n])
        return out[n]

    return call


for path in sorted(glob.glob(os.path.join(sys.argv[2], '*.json'))):
    base = path.removesuffix('.json')
    about = json.load(open(path))
    calls, compile_ms = {}, {}
    for name, make in (('exported', lambda: exported(base)), ('by hand', lambda: by_hand(base, about))):
        start = time.perf_counter()
        calls[name] = make()
        compile_ms[name] = 1000 * (time.perf_counter() - start)
    losses = {name: float(np.asarray([call() for _ in range(3)][-1])) for name, call in calls.items()}
    start = time.perf_counter()
    calls['by hand']()
    times = max(1, int(0.05 / max(time.perf_counter() - start, 1e-6)))
    samples = {name: [] for name in calls}
    for _ in range(about['rounds']):
        for name, call in calls.items():
            start = time.perf_counter()
            for _ in range(times):
                call()
            samples[name].append(1000 * (time.perf_counter() - start) / times)
    print(json.dumps({'work': about['work'], 'ms': {k: statistics.median(v) for k, v in samples.items()}, 'least': {k: min(v) for k, v in samples.items()},
                      'compile_ms': compile_ms, 'losses': losses}), flush=True)
