"""Training steps for the bench: losses written once for PyTorch and once for JAX, and the updates around them."""

try:
    import torch
    import torch.nn.functional as F
except ImportError:
    torch = None
try:
    import jax
    import jax.numpy as jnp
except ImportError:
    jax = None

SGD_RATE = 0.1
PER_BLOCK = 12


# Losses in PyTorch: of parameters and data.


def torch_dense(x, parameters):
    for i in range(0, len(parameters), 2):
        x = F.linear(x if i == 0 else torch.relu(x), parameters[i], parameters[i + 1])
    return x


def torch_classifier(p, data):
    return F.cross_entropy(torch_dense(data[0], p), data[1].long())


def torch_regression(p, data):
    return F.mse_loss(torch_dense(data[0], p), data[1])


def torch_lenet(p, data):
    x = F.max_pool2d(torch.relu(F.conv2d(data[0], p[0], p[1], padding=2)), 2)
    x = F.max_pool2d(torch.relu(F.conv2d(x, p[2], p[3])), 2)
    return F.cross_entropy(torch_dense(x.flatten(1), p[4:]), data[1].long())


def torch_transformer(heads, depth):
    def loss(p, data):
        width = p[0].shape[1]
        batch, length = data[0].shape

        def split(x):
            return x.reshape(batch, length, heads, width // heads).permute(0, 2, 1, 3)

        x = F.embedding(data[0], p[0]) + p[1]
        for layer in range(depth):
            q = p[2 + PER_BLOCK * layer : 2 + PER_BLOCK * (layer + 1)]
            parts = F.linear(F.layer_norm(x, (width,), q[0], q[1]), q[2], q[3]).chunk(3, -1)
            mixed = F.scaled_dot_product_attention(*(split(part) for part in parts), is_causal=True)
            x = x + F.linear(mixed.permute(0, 2, 1, 3).reshape(batch, length, width), q[4], q[5])
            x = x + F.linear(F.gelu(F.linear(F.layer_norm(x, (width,), q[6], q[7]), q[8], q[9])), q[10], q[11])
        logits = F.linear(F.layer_norm(x, (width,), p[-3], p[-2]), p[-1])
        return F.cross_entropy(logits.reshape(batch * length, -1), data[1].long())

    return loss


# The same in JAX.


def xla_cross_entropy(logits, labels):
    return -jnp.take_along_axis(jax.nn.log_softmax(logits), labels[:, None], 1).mean()


def xla_dense(x, parameters):
    for i in range(0, len(parameters), 2):
        x = (x if i == 0 else jax.nn.relu(x)) @ parameters[i].T + parameters[i + 1]
    return x


def xla_classifier(p, data):
    return xla_cross_entropy(xla_dense(data[0], p), data[1])


def xla_regression(p, data):
    return ((xla_dense(data[0], p) - data[1]) ** 2).mean()


def xla_lenet(p, data):
    def block(x, w, b, padding):
        y = jax.lax.conv_general_dilated(x, w, (1, 1), [(padding, padding)] * 2) + b[:, None, None]
        return jax.lax.reduce_window(jax.nn.relu(y), -jnp.inf, jax.lax.max, (1, 1, 2, 2), (1, 1, 2, 2), "VALID")

    x = block(block(data[0], p[0], p[1], 2), p[2], p[3], 0)
    return xla_cross_entropy(xla_dense(x.reshape(x.shape[0], -1), p[4:]), data[1])


def xla_norm(x, w, b):
    return (x - x.mean(-1, keepdims=True)) * jax.lax.rsqrt(x.var(-1, keepdims=True) + 1e-5) * w + b


def xla_transformer(heads, depth):
    def loss(p, data):
        width = p[0].shape[1]
        batch, length = data[0].shape

        def split(x):
            return x.reshape(batch, length, heads, width // heads).transpose(0, 2, 1, 3)

        mask = jnp.tril(jnp.ones((length, length), bool))
        x = p[0][data[0]] + p[1]
        for layer in range(depth):
            s = p[2 + PER_BLOCK * layer : 2 + PER_BLOCK * (layer + 1)]
            q, k, v = (split(part) for part in jnp.split(xla_norm(x, s[0], s[1]) @ s[2].T + s[3], 3, -1))
            scores = q @ k.swapaxes(-1, -2) * (width // heads) ** -0.5
            mixed = jax.nn.softmax(jnp.where(mask, scores, -1e9), -1) @ v
            x = x + mixed.transpose(0, 2, 1, 3).reshape(batch, length, width) @ s[4].T + s[5]
            up = jax.nn.gelu(xla_norm(x, s[6], s[7]) @ s[8].T + s[9], approximate=False)
            x = x + up @ s[10].T + s[11]
        logits = xla_norm(x, p[-3], p[-2]) @ p[-1].T
        return xla_cross_entropy(logits.reshape(batch * length, -1), data[1])

    return loss


def loss_of(side, name):
    """'transformer(4, 2)' is a loss that is made for sizes; other names are losses."""
    return eval(f"{side}_{name}")


# Updates.


def torch_step(source, inputs, wrap):
    """(a call that makes one step and gives the results)."""
    if source == "adam":
        return torch_adam(inputs, wrap)
    name, method = source.rsplit(" ", 1)
    data_count = 2
    state = inputs[:-data_count]
    count = len(state) if method == "SGD" else (len(state) - 1) // 3
    parameters = [x.requires_grad_() for x in state[:count]]
    data = inputs[-data_count:]
    loss = wrap(loss_of("torch", name))
    optimiser = torch.optim.SGD(parameters, lr=SGD_RATE) if method == "SGD" else torch.optim.Adam(parameters)
    update = wrap(optimiser.step)

    def run():
        optimiser.zero_grad()
        value = loss(parameters, data)
        value.backward()
        update()
        return value.detach()

    return run


def torch_adam(inputs, wrap):
    count = len(inputs) // 4
    parameters = [x.requires_grad_() for x in inputs[:count]]
    optimiser = torch.optim.Adam(parameters, lr=1e-3)
    for i, p in enumerate(parameters):
        optimiser.state[p] = {"step": torch.tensor(1000.0), "exp_avg": inputs[count + i], "exp_avg_sq": inputs[2 * count + i]}
        p.grad = inputs[3 * count + i]
    update = wrap(optimiser.step)

    def run():
        update()
        return parameters[0]

    return run


def adam(p, m, v, g, c1, c2):
    m = m * 0.9 + g * (1 - 0.9)
    v = v * 0.999 + g * g * (1 - 0.999)
    return p - 1e-3 * (m / c1) / (jnp.sqrt(v / c2) + 1e-8), m, v


def xla_step(source):
    if source == "adam":

        def update(*xs):
            n = len(xs) // 4
            new = [adam(xs[i], xs[n + i], xs[2 * n + i], xs[3 * n + i], 1, 1 - 0.999**1001) for i in range(n)]
            return tuple(new[i][part] for part in range(3) for i in range(n))

        return update
    name, method = source.rsplit(" ", 1)
    loss = loss_of("xla", name)

    def step(*xs):
        state, data = xs[:-2], xs[-2:]
        if method == "SGD":
            value, gradients = jax.value_and_grad(loss)(list(state), data)
            return (*(p - SGD_RATE * g for p, g in zip(state, gradients)), value)
        n = (len(state) - 1) // 3
        t = state[-1] + 1
        value, gradients = jax.value_and_grad(loss)(list(state[:n]), data)
        c1, c2 = 1 - 0.9**t, 1 - 0.999**t
        new = [adam(state[i], state[n + i], state[2 * n + i], gradients[i], c1, c2) for i in range(n)]
        return (*(new[i][part] for part in range(3) for i in range(n)), t, value)

    return step
