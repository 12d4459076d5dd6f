"""Ways to have the gradient computed by PyTorch and by JAX: `predict` and `gradient`, as in `numpy_forms`."""

from __future__ import annotations

_TORCH = """
def tensors(params):
    return [(torch.tensor(w), None if b is None else torch.tensor(b)) for w, b in params]


def leaves_of(layers):
    return [t.requires_grad_() for layer in layers for t in layer if t is not None]


def in_pairs(layers, grads):
    grads = iter(grads)
    return [(next(grads), None if b is None else next(grads)) for _, b in layers]


def up(layers, x):
    found = []
    for w, b in layers:
        x = sigma(x @ w if b is None else x @ w + b)
        found.append(x)
    return found


def cost(layers, x, y):
    return term(up(layers, x)[-1], y).sum() * share(*y.shape)


def predict(params, x):
    with torch.no_grad():
        return up(tensors(params), torch.tensor(x))
"""

TORCH_FORMS = {
    "torch, autograd of leaves": _TORCH
    + """

def gradient(params, x, y):
    layers = tensors(params)
    leaves = leaves_of(layers)
    loss = cost(layers, torch.tensor(x), torch.tensor(y))
    return loss.item(), in_pairs(layers, torch.autograd.grad(loss, leaves))
""",
    "torch, without autograd": _TORCH
    + """

@torch.no_grad()
def gradient(params, x, y):
    layers, x, y = tensors(params), torch.tensor(x), torch.tensor(y)
    a, k = [x, *up(layers, x)], share(*y.shape)
    d, grads = slope(a[-1], y) * k, []
    for (w, b), below in zip(layers[::-1], a[-2::-1]):
        grads.insert(0, (below.t() @ d, None if b is None else d.sum(0)))
        d = d @ w.t() * below * (1 - below)
    return (term(a[-1], y).sum() * k).item(), grads
""",
    "torch.func.grad_and_value": _TORCH
    + """

def gradient(params, x, y):
    layers = tensors(params)
    leaves = [t for layer in layers for t in layer if t is not None]

    def of_leaves(leaves):
        return cost(in_pairs(layers, leaves), torch.tensor(x), torch.tensor(y))

    grads, loss = torch.func.grad_and_value(of_leaves)(leaves)
    return loss.item(), in_pairs(layers, grads)
""",
    "torch.func.vmap over the samples": _TORCH
    + """

def gradient(params, x, y):
    layers, k = tensors(params), share(*y.shape)
    leaves = [t for layer in layers for t in layer if t is not None]

    def one(leaves, row, wanted):
        return term(up(in_pairs(layers, leaves), row[None])[-1], wanted[None]).sum() * k

    each = torch.func.vmap(torch.func.grad_and_value(one), in_dims=(None, 0, 0))
    grads, losses = each(leaves, torch.tensor(x), torch.tensor(y))
    return losses.sum().item(), in_pairs(layers, [g.sum(0) for g in grads])
""",
    "torch.func.jacfwd": _TORCH
    + """

def gradient(params, x, y):
    layers, x, y = tensors(params), torch.tensor(x), torch.tensor(y)
    leaves = [t for layer in layers for t in layer if t is not None]
    grads = torch.func.jacfwd(lambda leaves: cost(in_pairs(layers, leaves), x, y))(leaves)
    return cost(layers, x, y).item(), in_pairs(layers, grads)
""",
    "torch.func.jvp, weight by weight": _TORCH
    + """

def gradient(params, x, y):
    layers, x, y = tensors(params), torch.tensor(x), torch.tensor(y)
    grads = [[None if t is None else torch.empty_like(t) for t in layer] for layer in layers]
    for at, layer in enumerate(layers):
        for which, t in enumerate(layer):
            for n in range(0 if t is None else t.numel()):

                def moved(tensor, at=at, which=which):
                    changed = [list(pair) for pair in layers]
                    changed[at][which] = tensor
                    return cost(changed, x, y)

                unit = torch.zeros(t.numel(), dtype=t.dtype)
                unit[n] = 1
                grads[at][which].view(-1)[n] = torch.func.jvp(moved, (t,), (unit.view(t.shape),))[1]
    return cost(layers, x, y).item(), grads
""",
    "torch, microbatches with accumulation": _TORCH
    + """

def gradient(params, x, y):
    layers, x, y = tensors(params), torch.tensor(x), torch.tensor(y)
    leaves_of(layers)
    k, total = share(*y.shape), 0.0
    for rows, wanted in zip(x.split(4), y.split(4)):
        loss = term(up(layers, rows)[-1], wanted).sum() * k
        loss.backward()
        total += loss.item()
    return total, [(w.grad, None if b is None else b.grad) for w, b in layers]
""",
    "torch, retain_graph and one output after the other": _TORCH
    + """

def gradient(params, x, y):
    layers, x, y = tensors(params), torch.tensor(x), torch.tensor(y)
    leaves = leaves_of(layers)
    costs = term(up(layers, x)[-1], y).sum(0) * share(*y.shape)
    for one in costs:
        one.backward(retain_graph=True)
    return costs.sum().item(), in_pairs(layers, [t.grad for t in leaves])
""",
    "torch.utils.checkpoint": _TORCH
    + """

def gradient(params, x, y):
    from torch.utils.checkpoint import checkpoint

    layers, a, y = tensors(params), torch.tensor(x), torch.tensor(y)
    leaves = leaves_of(layers)

    def one(a, w, b):
        return sigma(a @ w if b is None else a @ w + b)

    for w, b in layers:
        a = checkpoint(one, a, w, b, use_reentrant=False)
    loss = term(a, y).sum() * share(*y.shape)
    return loss.item(), in_pairs(layers, torch.autograd.grad(loss, leaves))
""",
    "torch, a custom autograd.Function": _TORCH
    + """

class Dense(torch.autograd.Function):
    @staticmethod
    def forward(ctx, a, w, b):
        up = sigma(a @ w if b is None else a @ w + b)
        ctx.save_for_backward(a, w, up)
        ctx.biased = b is not None
        return up

    @staticmethod
    def backward(ctx, d_up):
        a, w, up = ctx.saved_tensors
        d = d_up * up * (1 - up)
        return d @ w.T, a.T @ d, d.sum(0) if ctx.biased else None


def gradient(params, x, y):
    layers, a, y = tensors(params), torch.tensor(x), torch.tensor(y)
    leaves = leaves_of(layers)
    for w, b in layers:
        a = Dense.apply(a, w, b)
    loss = term(a, y).sum() * share(*y.shape)
    loss.backward()
    return loss.item(), in_pairs(layers, [t.grad for t in leaves])
""",
    "torch, hooks collect the gradients": _TORCH
    + """

def gradient(params, x, y):
    layers = tensors(params)
    grads = [[None, None] for _ in layers]

    def keep(at, which):
        def hook(g):
            grads[at][which] = g.clone()

        return hook

    for at, layer in enumerate(layers):
        for which, t in enumerate(layer):
            if t is not None:
                t.requires_grad_().register_hook(keep(at, which))
    loss = cost(layers, torch.tensor(x), torch.tensor(y))
    loss.backward()
    return loss.item(), grads
""",
    "torch.compile": _TORCH
    + """

@torch.compile(backend="aot_eager", dynamic=False)
def compiled(layers, x, y):
    return cost(layers, x, y)


def gradient(params, x, y):
    layers = tensors(params)
    leaves = leaves_of(layers)
    loss = compiled(layers, torch.tensor(x), torch.tensor(y))
    return loss.item(), in_pairs(layers, torch.autograd.grad(loss, leaves))
""",
}
"""By name. They use `torch`; `sigma`, `term` and `slope` get its tensors."""

TORCH_SIGMOIDS = {
    "quotient": "return 1 / (1 + torch.exp(-z))",
    "tanh": "return 0.5 * (1 + torch.tanh(z / 2))",
    "torch.sigmoid": "return torch.sigmoid(z)",
    "two branches": "e = torch.exp(z)\nreturn torch.where(z >= 0, 1 / (1 + torch.exp(-z)), e / (1 + e))",
    "complement": "return 1 - 1 / (1 + torch.exp(z))",
}

_JAX = """
def up(params, x):
    found = []
    for w, b in params:
        x = sigma(x @ w if b is None else x @ w + b)
        found.append(x)
    return found


def cost(params, x, y):
    return term(up(params, x)[-1], y).sum() * share(*y.shape)


def predict(params, x):
    return up(params, x)


def pairs(params):
    return [tuple(layer) for layer in params]
"""

JAX_FORMS = {
    "jax.value_and_grad": _JAX
    + """

def gradient(params, x, y):
    return jax.value_and_grad(cost)(pairs(params), x, y)
""",
    "jax.jit": _JAX
    + """

compiled = jax.jit(jax.value_and_grad(cost))


def gradient(params, x, y):
    return compiled(pairs(params), x, y)
""",
    "jax.jacfwd": _JAX
    + """

forwards = jax.jit(jax.jacfwd(cost))


def gradient(params, x, y):
    return cost(params, x, y), forwards(pairs(params), x, y)
""",
    "jax.vmap over the samples": _JAX
    + """

@jax.jit
def each(params, x, y):
    k = share(*y.shape)

    def one(params, row, wanted):
        return term(up(params, row)[-1], wanted).sum() * k

    losses, grads = jax.vmap(jax.value_and_grad(one), in_axes=(None, 0, 0))(params, x, y)
    return losses.sum(), jax.tree.map(lambda g: g.sum(0), grads)


def gradient(params, x, y):
    return each(pairs(params), x, y)
""",
    "jax.custom_vjp": _JAX
    + """

@jax.custom_vjp
def squash(z):
    return sigma(z)


squash.defvjp(lambda z: (sigma(z),) * 2, lambda a, d: (d * a * (1 - a),))


@jax.jit
def own(params, x, y):
    for w, b in params:
        x = squash(x @ w if b is None else x @ w + b)
    return term(x, y).sum() * share(*y.shape)


def gradient(params, x, y):
    return jax.value_and_grad(own)(pairs(params), x, y)
""",
    "jax.lax.scan over the samples": _JAX
    + """

@jax.jit
def scanned(params, x, y):
    k = share(*y.shape)

    def one(params, row, wanted):
        return term(up(params, row)[-1], wanted).sum() * k

    def body(carried, sample):
        return jax.tree.map(jnp.add, carried, jax.value_and_grad(one)(params, *sample)), None

    zero = jnp.zeros((), x.dtype), jax.tree.map(jnp.zeros_like, params)
    return jax.lax.scan(body, zero, (x, y))[0]


def gradient(params, x, y):
    return scanned(pairs(params), x, y)
""",
    "jax.checkpoint": _JAX
    + """

kept_little = jax.jit(jax.value_and_grad(jax.checkpoint(cost)))


def gradient(params, x, y):
    return kept_little(pairs(params), x, y)
""",
    "jax.linearize and its transpose": _JAX
    + """

@jax.jit
def transposed(params, x, y):
    loss, tangent = jax.linearize(lambda p: cost(p, x, y), params)
    (grads,) = jax.linear_transpose(tangent, params)(jnp.ones_like(loss))
    return loss, grads


def gradient(params, x, y):
    return transposed(pairs(params), x, y)
""",
}
"""By name. They use `jax` and `jnp`."""

JAX_SIGMOIDS = {
    "quotient": "return 1 / (1 + jnp.exp(-z))",
    "jax.nn.sigmoid": "return jax.nn.sigmoid(z)",
    "tanh": "return 0.5 * (1 + jnp.tanh(z / 2))",
    "two branches": "e = jnp.exp(z)\nreturn jnp.where(z >= 0, 1 / (1 + jnp.exp(-z)), e / (1 + e))",
}
