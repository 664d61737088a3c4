"""PyTorch eager, Inductor and XLA as contenders: reads one JSON request a line, answers with one line each.

A request prepares a subject, runs a sample of it, fetches its results or drops it. Arrays travel in files.
"""

import json
import os
import sys
import time

import numpy as np

# What libraries print goes to stderr: stdout is the protocol's.
answers = os.fdopen(os.dup(1), "w")
os.dup2(2, 1)

threads = int(os.environ["FLUXION_BENCH_THREADS"])
if threads == 1:
    os.environ["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"
os.environ.setdefault("JAX_PLATFORMS", "cpu")
os.environ.setdefault("TORCHINDUCTOR_FORCE_DISABLE_CACHES", "1")

versions = {}
wide = False
try:
    import torch
    import torch.nn.functional as F

    torch.set_num_threads(threads)
    wide = "AVX512" in torch.backends.cpu.get_cpu_capability()
    versions["pytorch"] = versions["inductor"] = torch.__version__
except ImportError:
    torch = F = None
try:
    import jax
    import jax.numpy as jnp

    versions["xla"] = jax.__version__
except ImportError:
    jax = jnp = None

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import models  # noqa: E402

names = {"torch": torch, "F": F, "jax": jax, "jnp": jnp, "models": models}


def evaluate(source):
    return eval(source, names)


def as_tuple(y):
    return tuple(y) if isinstance(y, (tuple, list)) else (y,)


def torch_function(request, inputs, compiled):
    """(run, results): a call of the row's function, forward or forward and backward."""
    xs = [torch.from_numpy(x.copy()) for x in inputs]
    wrap = torch.compile if compiled else lambda f: f
    if request["kind"] == "step":
        run = models.torch_step(request["torch"], xs, wrap)
        return lambda: as_tuple(run())
    fn = wrap(evaluate(request["torch"]))
    count = request.get("gradients")
    if count is not None:
        wrt = [x.requires_grad_() for x in xs[:count]]
        return lambda: torch.autograd.grad(fn(*xs[:-1]), wrt, xs[-1])
    if compiled or request.get("out") is None:
        return lambda: as_tuple(fn(*xs))
    into = evaluate(request["out"])
    out = fn(*xs)

    def run():
        into(out, *xs)
        return (out,)

    return run


def xla_function(request, inputs):
    xs = [jnp.asarray(x) for x in inputs]
    if request["kind"] == "step":
        carried = request["state"]
        step = jax.jit(models.xla_step(request["xla"]), donate_argnums=tuple(range(carried)))
        state = [jnp.array(x) for x in xs[:carried]]

        def run():
            all = step(*state, *xs[carried:])
            state[:] = all[:carried]
            jax.block_until_ready(all)
            return all[carried:] or all[:1]

        return run
    fn = evaluate(request["xla"])
    count = request.get("gradients")
    if count is None:
        jitted = jax.jit(fn)
    else:
        inner = fn

        def backward(*args):
            y, pull = jax.vjp(lambda *wrt: inner(*wrt, *args[count:-1]), *args[:count])
            return pull(args[-1])

        jitted = jax.jit(backward)
    return lambda: as_tuple(jax.block_until_ready(jitted(*xs)))


subjects = {}


def prepare(request):
    inputs = [np.fromfile(i["file"], dtype=i["dtype"]).reshape(i["shape"]) for i in request["inputs"]]
    if torch is not None:
        torch.manual_seed(0)
        torch._dynamo.reset()
    start = time.perf_counter()
    run = xla_function(request, inputs) if request["peer"] == "xla" else torch_function(request, inputs, request["peer"] == "inductor")
    subjects[request["peer"]] = {"run": run, "last": run()}
    return {"first_ms": 1000 * (time.perf_counter() - start)}


def sample(request):
    subject = subjects[request["peer"]]
    run, last = subject["run"], subject["last"]
    start = time.perf_counter()
    for _ in range(request["times"]):
        last = run()
    ms = 1000 * (time.perf_counter() - start)
    subject["last"] = last
    return {"ms": ms}


def results(request):
    files = []
    for i, y in enumerate(subjects[request["peer"]]["last"]):
        y = y.detach().numpy() if hasattr(y, "detach") else np.asarray(y)
        file = f"{request['folder']}/{request['peer']}-{i}.bin"
        np.ascontiguousarray(y, dtype=np.float64 if y.dtype.kind == "f" else np.int64).tofile(file)
        files.append({"file": file, "integer": y.dtype.kind != "f"})
    return {"files": files}


def close(request):
    subjects.pop(request["peer"], None)
    return {}


handlers = {"prepare": prepare, "sample": sample, "results": results, "close": close}


def answer(reply):
    answers.write(json.dumps(reply) + "\n")
    answers.flush()


answer({"versions": versions, "wide": wide})
for line in sys.stdin:
    request = json.loads(line)
    try:
        answer(handlers[request["do"]](request))
    except Exception as error:  # what a peer cannot do is told, and the bench goes on
        answer({"error": f"{type(error).__name__}: {error}".splitlines()[0][:300]})
