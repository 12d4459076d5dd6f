"""Ways to write the same network and its gradient in NumPy and in plain Python.

Each is source with two functions, `predict(params, x)`, which returns the activations of every layer, and
`gradient(params, x, y)`, which returns the loss and pairs of gradients. They use `sigma(z)`, `term(p, y)`,
`slope(p, y)` and `share(n, m)`.
"""

from __future__ import annotations

_PREDICT = """
def predict(params, x):
    found = []
    for w, b in params:
        x = sigma(x @ w if b is None else x @ w + b)
        found.append(x)
    return found
"""

ROWS = (
    _PREDICT
    + """

def gradient(params, x, y):
    a = [x, *predict(params, x)]
    k = share(*y.shape)
    d = slope(a[-1], y) * k
    grads = []
    for (w, b), below in zip(params[::-1], a[-2::-1]):
        grads.insert(0, (below.T @ d, None if b is None else d.sum(0)))
        d = d @ w.T * below * (1 - below)
    return term(a[-1], y).sum() * k, grads
"""
)

EINSUM = """
def predict(params, x):
    found = []
    for w, b in params:
        z = np.einsum("ni,io->no", x, w)
        x = sigma(z if b is None else z + b[None, :])
        found.append(x)
    return found


def gradient(params, x, y):
    a = [x, *predict(params, x)]
    k = share(*y.shape)
    d, grads = k * slope(a[-1], y), []
    for at in range(len(params))[::-1]:
        w, b = params[at]
        dw = np.einsum("ni,no->io", a[at], d)
        grads.append((dw, None if b is None else np.einsum("no->o", d)))
        if at:
            d = np.einsum("no,io,ni,ni->ni", d, w, a[at], 1 - a[at])
    return k * np.einsum("no->", term(a[-1], y)), grads[::-1]
"""

COLUMNS = """
def columns(params, x):
    found = [x.T]
    for w, b in params:
        z = w.T @ found[-1]
        found.append(sigma(z if b is None else z + b[:, None]))
    return found


def predict(params, x):
    return [a.T for a in columns(params, x)[1:]]


def gradient(params, x, y):
    a, wanted = columns(params, x), y.T
    m, n = wanted.shape
    d = slope(a[-1], wanted)
    grads = []
    for at in reversed(range(len(params))):
        w, b = params[at]
        dw = d @ a[at].T * share(n, m)
        db = None if b is None else np.sum(d, axis=1, keepdims=True) * share(n, m)
        grads = [(dw.T, db), *grads]
        d = (w @ d) * a[at] * (1 - a[at])
    return np.sum(term(a[-1], wanted)) * share(n, m), grads
"""

BIAS_ROWS = """
def joined(params):
    return [w if b is None else np.vstack([w, b]) for w, b in params]


def ones_beside(a, matrix):
    return a if len(matrix) == a.shape[1] else np.hstack([a, np.ones((len(a), 1), a.dtype)])


def predict(params, x):
    found = []
    for matrix in joined(params):
        x = sigma(ones_beside(x, matrix) @ matrix)
        found.append(x)
    return found


def gradient(params, x, y):
    a, matrices = [x, *predict(params, x)], joined(params)
    k = share(*y.shape)
    d, grads = slope(a[-1], y) * k, []
    for at in range(len(matrices) - 1, -1, -1):
        both = ones_beside(a[at], matrices[at]).T @ d
        rows = a[at].shape[1]
        grads.insert(0, (both[:rows], both[rows] if len(both) > rows else None))
        d = d @ matrices[at][:rows].T * (a[at] - a[at] ** 2)
    return term(a[-1], y).sum() * k, grads
"""

SAMPLE_LOOP = """
def one(params, x):
    found = [x]
    for w, b in params:
        z = np.dot(found[-1], w)
        found.append(sigma(z if b is None else z + b))
    return found


def predict(params, x):
    rows = [one(params, row)[1:] for row in x]
    return [np.array(layer) for layer in zip(*rows)]


def gradient(params, x, y):
    k = share(*y.shape)
    loss = 0.0
    grads = [[np.zeros_like(w), None if b is None else np.zeros_like(b)] for w, b in params]
    for row, wanted in zip(x, y):
        a = one(params, row)
        loss += term(a[-1], wanted).sum() * k
        d = slope(a[-1], wanted) * k
        for at in reversed(range(len(params))):
            grads[at][0] += np.outer(a[at], d)
            if grads[at][1] is not None:
                grads[at][1] += d
            d = params[at][0] @ d * a[at] * (1 - a[at])
    return loss, grads
"""


def _gradient_with_sum(added: str) -> str:
    """Sum over the samples by `added(values)`, whose source is given; values are `(samples, …)`."""
    return (
        added
        + "\n"
        + _PREDICT
        + """

def gradient(params, x, y):
    a = [x, *predict(params, x)]
    k = share(*y.shape)
    d, grads = slope(a[-1], y) * k, []
    for (w, b), below in zip(reversed(params), reversed(a[:-1])):
        products = below[:, :, None] * d[:, None, :]
        grads.append((added(products), None if b is None else added(d)))
        d = (d @ w.T) * below * (1 - below)
    return added(term(a[-1], y).sum(1)) * k, grads[::-1]
"""
    )


KAHAN = _gradient_with_sum(
    """
def added(values):
    total = np.zeros_like(values[0])
    lost = np.zeros_like(values[0])
    for value in values:
        corrected = value - lost
        larger = total + corrected
        lost = (larger - total) - corrected
        total = larger
    return total
"""
)

PAIRWISE = _gradient_with_sum(
    """
def added(values):
    if len(values) == 1:
        return values[0]
    half = len(values) // 2
    return added(values[:half]) + added(values[half:])
"""
)

BLOCKED = _gradient_with_sum(
    """
def added(values):
    return sum(values[at : at + 4].sum(0) for at in range(0, len(values), 4))
"""
)

BACKWARDS = _gradient_with_sum(
    """
def added(values):
    total = values[-1] * 1
    for value in values[-2::-1]:
        total = total + value
    return total
"""
)

SORTED = _gradient_with_sum(
    """
def added(values):
    ordered = np.take_along_axis(values, np.argsort(np.abs(values), axis=0), axis=0)
    return np.cumsum(ordered, axis=0)[-1]
"""
)

STRIDED = _gradient_with_sum(
    """
def added(values):
    return values[::2].sum(0) + values[1::2].sum(0)
"""
)

MATRIX = """
def predict(params, x):
    found, a = [], np.matrix(x)
    for w, b in params:
        z = a * np.matrix(w)
        a = np.matrix(sigma(np.asarray(z if b is None else z + b)))
        found.append(np.asarray(a))
    return found


def gradient(params, x, y):
    a = [np.matrix(one) for one in (x, *predict(params, x))]
    k = share(*y.shape)
    d = np.matrix(slope(np.asarray(a[-1]), y) * k)
    grads = []
    for (w, b), below in zip(params[::-1], a[-2::-1]):
        grads.insert(0, (below.T * d, None if b is None else d.sum(axis=0)))
        d = np.multiply(d * np.matrix(w).T, np.multiply(below, 1 - below))
    return np.asarray(term(np.asarray(a[-1]), y)).sum() * k, grads
"""

FORTRAN = """
def predict(params, x):
    found = []
    for w, b in params:
        z = np.matmul(np.asfortranarray(x), np.asfortranarray(w))
        x = np.asfortranarray(sigma(z if b is None else z + b))
        found.append(x)
    return found


def gradient(params, x, y):
    a = [np.asfortranarray(x), *predict(params, x)]
    k = share(*y.shape)
    d, grads = np.asfortranarray(slope(a[-1], y) * k), []
    for (w, b), below in zip(params[::-1], a[-2::-1]):
        dw = np.empty(w.shape, w.dtype, order="F")
        np.matmul(below.T, d, out=dw)
        grads.insert(0, (dw, None if b is None else d.sum(axis=0)))
        d = np.asfortranarray(d @ w.T * below * (1 - below))
    return np.ravel(term(a[-1], y), order="F").sum() * k, grads
"""

IN_PLACE = """
def predict(params, x):
    found = []
    for w, b in params:
        z = np.matmul(x, w)
        if b is not None:
            np.add(z, b, out=z)
        x = sigma(z)
        found.append(x)
    return found


def gradient(params, x, y):
    a = [x, *predict(params, x)]
    k = share(*y.shape)
    d, grads = slope(a[-1], y), [None] * len(params)
    d *= k
    loss = term(a[-1], y).sum() * k
    for at in range(len(params))[::-1]:
        w, b = params[at]
        grads[at] = (np.matmul(a[at].T, d), None if b is None else np.add.reduce(d, axis=0))
        if at:
            d = np.matmul(d, w.T)
            np.multiply(d, a[at], out=d)
            np.subtract(1, a[at], out=a[at])
            np.multiply(d, a[at], out=d)
            np.subtract(1, a[at], out=a[at])
    return loss, grads
"""

FLAT = """
def flat(params):
    return np.concatenate([t.ravel() for layer in params for t in layer if t is not None])


def shaped(vector, like):
    at, found = 0, []
    for w, b in like:
        weight = vector[at : at + w.size].reshape(w.shape)
        at += w.size
        found.append((weight, None if b is None else vector[at : at + b.size]))
        at += 0 if b is None else b.size
    return found


def predict(params, x):
    found = []
    for w, b in shaped(flat(params), params):
        x = sigma(x @ w if b is None else x @ w + b)
        found.append(x)
    return found


def gradient(params, x, y):
    theta = flat(params)
    result = np.zeros_like(theta)
    a, k = [x, *predict(params, x)], share(*y.shape)
    d = slope(a[-1], y) * k
    views = shaped(result, params)
    for at in range(len(params))[::-1]:
        weight, bias = views[at]
        weight += a[at].T @ d
        if bias is not None:
            bias += d.sum(0)
        d = d @ shaped(theta, params)[at][0].T * a[at] * (1 - a[at])
    return term(a[-1], y).sum() * k, shaped(result, params)
"""

GENERATORS = """
def upwards(params, a):
    for w, b in params:
        a = sigma(a @ w if b is None else a @ w + b)
        yield a


def predict(params, x):
    return list(upwards(params, x))


def downwards(params, a, d):
    for at in range(len(params) - 1, -1, -1):
        yield at, a[at].T @ d, d.sum(0)
        d = (d @ params[at][0].T) * (a[at] * (1 - a[at]))


def gradient(params, x, y):
    a, k = [x, *upwards(params, x)], share(*y.shape)
    found = {at: (dw, db) for at, dw, db in downwards(params, a, slope(a[-1], y) * k)}
    grads = [(found[at][0], None if b is None else found[at][1]) for at, (_, b) in enumerate(params)]
    return sum(map(np.sum, term(a[-1], y))) * k, grads
"""

OBJECTS = """
class Layer:
    def __init__(self, w, b):
        self.w, self.b = w, b

    def up(self, x):
        self.x = x
        self.a = sigma(x @ self.w if self.b is None else x @ self.w + self.b)
        return self.a

    def down(self, d_a):
        return self.down_from_z(d_a * self.a * (1 - self.a))

    def down_from_z(self, d_z):
        self.grads = self.x.T @ d_z, None if self.b is None else d_z.sum(axis=0)
        return d_z @ self.w.T


class Network:
    def __init__(self, params):
        self.layers = [Layer(w, b) for w, b in params]

    def up(self, x):
        return [x := layer.up(x) for layer in self.layers]

    def learn(self, x, y):
        p = self.up(x)[-1]
        *rest, last = self.layers
        d = last.down_from_z(slope(p, y) * share(*y.shape))
        for layer in reversed(rest):
            d = layer.down(d)
        return term(p, y).sum() * share(*y.shape), [layer.grads for layer in self.layers]


def predict(params, x):
    return Network(params).up(x)


def gradient(params, x, y):
    return Network(params).learn(x, y)
"""

RECOMPUTED = """
def upto(params, x, layer):
    for w, b in params[:layer]:
        x = sigma(x @ w if b is None else x @ w + b)
    return x


def predict(params, x):
    return [upto(params, x, layer) for layer in range(1, len(params) + 1)]


def gradient(params, x, y):
    k, depth = share(*y.shape), len(params)
    p = upto(params, x, depth)
    d, grads = slope(p, y) * k, []
    for layer in range(depth - 1, -1, -1):
        below = upto(params, x, layer)
        w, b = params[layer]
        grads.insert(0, (below.T @ d, None if b is None else d.sum(0)))
        d = d @ w.T * below * (1 - below)
    return term(p, y).sum() * k, grads
"""

RECURSION = """
def deeper(params, x, y, k):
    if not params:
        return term(x, y).sum() * k, [], None
    (w, b), *rest = params
    a = sigma(x @ w if b is None else x @ w + b)
    loss, grads, d_a = deeper(rest, a, y, k)
    d = slope(a, y) * k if d_a is None else d_a * a * (1 - a)
    return loss, [(x.T @ d, None if b is None else d.sum(0)), *grads], d @ w.T


def predict(params, x):
    if not params:
        return []
    (w, b), *rest = params
    a = sigma(x @ w if b is None else x @ w + b)
    return [a, *predict(rest, a)]


def gradient(params, x, y):
    loss, grads, _ = deeper(list(params), x, y, share(*y.shape))
    return loss, grads
"""

MICROBATCHES = (
    _PREDICT
    + """

def gradient(params, x, y, size=3):
    k, loss = share(*y.shape), 0
    total = [(np.zeros_like(w), None if b is None else np.zeros_like(b)) for w, b in params]
    for at in range(0, len(x), size):
        rows = slice(at, at + size)
        a = [x[rows], *predict(params, x[rows])]
        d = slope(a[-1], y[rows])
        loss += term(a[-1], y[rows]).sum() * k
        for (w, _), (dw, db), below in zip(params[::-1], total[::-1], a[-2::-1]):
            dw += below.T @ d * k
            if db is not None:
                db += d.sum(0) * k
            d = d @ w.T * below * (1 - below)
    return loss, total
"""
)

JACOBIANS = (
    _PREDICT
    + """

def gradient(params, x, y):
    a, k = [x, *predict(params, x)], share(*y.shape)
    d = slope(a[-1], y) * k
    up = np.broadcast_to(np.eye(y.shape[1], dtype=x.dtype), (len(x), y.shape[1], y.shape[1]))
    grads = []
    for (w, b), below in zip(params[::-1], a[-2::-1]):
        d_z = np.einsum("no,noz->nz", d, up)
        grads.insert(0, (below.T @ d_z, None if b is None else d_z.sum(0)))
        up = up @ w.T * (below * (1 - below))[:, None, :]
    return term(a[-1], y).sum() * k, grads
"""
)

TENSORDOT = """
def predict(params, x):
    found = []
    for w, b in params:
        z = np.tensordot(x, w, axes=([1], [0]))
        x = sigma(z if b is None else np.add(z, b))
        found.append(x)
    return found


def gradient(params, x, y):
    a, k = [x, *predict(params, x)], share(*y.shape)
    d, grads = slope(a[-1], y) * k, []
    for (w, b), below in zip(params[::-1], a[-2::-1]):
        dw = np.tensordot(below, d, axes=(0, 0))
        grads.insert(0, (dw, None if b is None else np.ones(len(d), d.dtype) @ d))
        d = np.tensordot(d, w, axes=(1, 1)) * below * (1 - below)
    return np.vdot(term(a[-1], y), np.ones_like(y)) * k, grads
"""

BROADCAST = """
def predict(params, x):
    found = []
    for w, b in params:
        z = (x[:, :, None] * w[None]).sum(1)
        x = sigma(z if b is None else z + b)
        found.append(x)
    return found


def gradient(params, x, y):
    a, k = [x, *predict(params, x)], share(*y.shape)
    d, grads = slope(a[-1], y) * k, []
    for (w, b), below in zip(params[::-1], a[-2::-1]):
        grads.insert(0, ((below[:, :, None] * d[:, None, :]).sum(0), None if b is None else d.sum(0)))
        d = (d[:, None, :] * w[None]).sum(2) * below * (1 - below)
    return term(a[-1], y).sum() * k, grads
"""

WIDER = (
    _PREDICT
    + """

def gradient(params, x, y):
    wide = np.longdouble
    layers = [(w.astype(wide), None if b is None else b.astype(wide)) for w, b in params]
    a = [x.astype(wide), *predict(layers, x.astype(wide))]
    k = share(*y.shape)
    d, grads = slope(a[-1], y.astype(wide)) * k, []
    for (w, b), below in zip(layers[::-1], a[-2::-1]):
        grads.insert(0, (below.T @ d, None if b is None else d.sum(0)))
        d = d @ w.T * below * (1 - below)
    loss = term(a[-1], y.astype(wide)).sum() * k
    return loss.astype(x.dtype), [
        (dw.astype(x.dtype), None if db is None else db.astype(x.dtype)) for dw, db in grads
    ]
"""
)

UNIT_BY_UNIT = (
    _PREDICT
    + """

def gradient(params, x, y):
    a, k = [x, *predict(params, x)], share(*y.shape)
    d, grads = slope(a[-1], y) * k, []
    for at in reversed(range(len(params))):
        w, b = params[at]
        dw = np.empty_like(w)
        for i in range(w.shape[0]):
            for o in range(w.shape[1]):
                dw[i, o] = np.dot(a[at][:, i], d[:, o])
        grads.insert(0, (dw, None if b is None else np.array([column.sum() for column in d.T])))
        lower = np.zeros_like(a[at])
        for o in range(w.shape[1]):
            lower += d[:, o, None] * w[:, o] * a[at] * (1 - a[at])
        d = lower
    return term(a[-1], y).sum() * k, grads
"""
)

FORWARD_MODE = (
    _PREDICT
    + """

def tangent(params, x, y, at, which, index):
    a, da = x, np.zeros_like(x)
    for layer, (w, b) in enumerate(params):
        dz = da @ w
        if layer == at and which == 0:
            dz[:, index[1]] += a[:, index[0]]
        if layer == at and which == 1:
            dz[:, index[0]] += 1
        a = sigma(a @ w if b is None else a @ w + b)
        da = a * (1 - a) * dz
    return (slope(a, y) * dz).sum() * share(*y.shape)


def gradient(params, x, y):
    p = predict(params, x)[-1]
    grads = []
    for at, layer in enumerate(params):
        pair = [None, None]
        for which, tensor in enumerate(layer):
            if tensor is not None:
                pair[which] = np.empty_like(tensor)
                for index in np.ndindex(tensor.shape):
                    pair[which][index] = tangent(params, x, y, at, which, index)
        grads.append(pair)
    return term(p, y).sum() * share(*y.shape), grads
"""
)

COMPLEX_STEP = (
    _PREDICT
    + """

def value(params, x, y):
    return term(predict(params, x)[-1], y).sum() * share(*y.shape)


def gradient(params, x, y):
    wide = [[None if t is None else t.astype(complex) for t in layer] for layer in params]
    grads = []
    for layer in wide:
        pair = [None, None]
        for which, tensor in enumerate(layer):
            if tensor is not None:
                pair[which] = np.empty(tensor.shape)
                for index in np.ndindex(tensor.shape):
                    real = tensor[index]
                    tensor[index] = real + 1e-30j
                    pair[which][index] = value(wide, x, y).imag / 1e-30
                    tensor[index] = real
        grads.append(pair)
    return value(wide, x, y).real, grads
"""
)

SCALARS = """
def up(params, x):
    rows = [[float(v) for v in row] for row in x]
    found = [rows]
    for w, b in params:
        columns = list(zip(*[[float(v) for v in row] for row in w]))
        shift = [0.0] * len(columns) if b is None else [float(v) for v in b]
        rows = [
            [sigma(sum(i * j for i, j in zip(row, column)) + s) for column, s in zip(columns, shift)]
            for row in rows
        ]
        found.append(rows)
    return found


def predict(params, x):
    return [np.array(rows) for rows in up(params, x)[1:]]


def gradient(params, x, y):
    a = up(params, x)
    wanted = [[float(v) for v in row] for row in y]
    k = share(len(wanted), len(wanted[0]))
    d = [[slope(p, t) * k for p, t in zip(*rows)] for rows in zip(a[-1], wanted)]
    loss = sum(term(p, t) for rows in zip(a[-1], wanted) for p, t in zip(*rows)) * k
    grads = []
    for at in range(len(params) - 1, -1, -1):
        w, b = params[at]
        fan_in, fan_out = len(w), len(w[0])
        dw = [[0.0] * fan_out for _ in range(fan_in)]
        db = [0.0] * fan_out
        lower = []
        for row, error in zip(a[at], d):
            for o in range(fan_out):
                db[o] += error[o]
                for i in range(fan_in):
                    dw[i][o] += row[i] * error[o]
            lower.append(
                [
                    sum(float(w[i][o]) * error[o] for o in range(fan_out)) * row[i] * (1 - row[i])
                    for i in range(fan_in)
                ]
            )
        d = lower
        grads.insert(0, (dw, None if b is None else db))
    return loss, grads
"""

TAPE = """
class Value:
    def __init__(self, number, parents=()):
        self.number, self.parents, self.grad = float(number), parents, 0.0

    def __add__(self, other):
        return Value(self.number + other.number, ((self, 1.0), (other, 1.0)))

    def __mul__(self, other):
        return Value(self.number * other.number, ((self, other.number), (other, self.number)))

    def squashed(self):
        a = sigma(self.number)
        return Value(a, ((self, a * (1 - a)),))

    def backward(self):
        order, seen = [], set()

        def visit(node):
            if id(node) not in seen:
                seen.add(id(node))
                for parent, _ in node.parents:
                    visit(parent)
                order.append(node)

        visit(self)
        self.grad = 1.0
        for node in reversed(order):
            for parent, local in node.parents:
                parent.grad += local * node.grad


def values(tensor):
    return None if tensor is None else np.vectorize(Value, otypes=[object])(tensor)


def outputs(layers, row):
    last = []
    for w, b in layers:
        last = []
        for o in range(w.shape[1]):
            z = Value(0.0) if b is None else b[o]
            for i, v in enumerate(row):
                z = z + v * w[i, o]
            last.append(z)
        row = [z.squashed() for z in last]
    return row, last


def predict(params, x):
    layers = [(values(w), values(b)) for w, b in params]
    found = []
    for depth in range(1, len(layers) + 1):
        rows = [outputs(layers[:depth], [Value(v) for v in row])[0] for row in x]
        found.append(np.array([[v.number for v in row] for row in rows]))
    return found


def gradient(params, x, y):
    layers = [(values(w), values(b)) for w, b in params]
    k, loss, total = share(*y.shape), 0.0, Value(0.0)
    for row, wanted in zip(x, y):
        for p, z, t in zip(*outputs(layers, [Value(v) for v in row]), map(float, wanted)):
            loss += term(p.number, t) * k
            total = total + z * Value(slope(p.number, t) * k)
    total.backward()

    def grads(tensor):
        return None if tensor is None else np.vectorize(lambda v: v.grad)(tensor)

    return loss, [(grads(w), grads(b)) for w, b in layers]
"""

NUMPY_FORMS = {
    "rows": ROWS,
    "einsum": EINSUM,
    "columns, units × samples": COLUMNS,
    "biases as a row of the weights": BIAS_ROWS,
    "a loop over the samples": SAMPLE_LOOP,
    "compensated sums": KAHAN,
    "pairwise sums": PAIRWISE,
    "blocked sums": BLOCKED,
    "sums in reverse order": BACKWARDS,
    "sums ordered by size": SORTED,
    "even samples, then odd ones": STRIDED,
    "np.matrix": MATRIX,
    "Fortran order": FORTRAN,
    "in place": IN_PLACE,
    "one flat vector": FLAT,
    "generators": GENERATORS,
    "objects with state": OBJECTS,
    "activations computed again": RECOMPUTED,
    "recursion": RECURSION,
    "microbatches, accumulated": MICROBATCHES,
    "Jacobians of every layer": JACOBIANS,
    "tensordot": TENSORDOT,
    "broadcast products": BROADCAST,
    "longdouble inside": WIDER,
    "unit by unit": UNIT_BY_UNIT,
    "forward mode": FORWARD_MODE,
}
"""By name: forms for arrays, which any convention and any sigmoid fits."""

SCALAR_FORMS = {"plain Python scalars": SCALARS, "a tape of scalars": TAPE}
"""Forms for Python's floats."""

COMPLEX_FORMS = {"complex step": COMPLEX_STEP}
"""Forms whose functions get complex numbers."""
