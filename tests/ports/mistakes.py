"""Single mistakes in the ports beside this file: one place of a pair's file as it is right, and as it is written instead.

Function `planted` writes a copy of a pair's folder with one or two of them.
"""

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

HERE = Path(__file__).parent


@dataclass(frozen=True)
class Mistake:
    """A mistake in a port.

    Attributes:
        pair: the pair's file, below this folder, without `.py`.
        right, wrong: the text that stands once in the file, and what stands there instead.
        names: words; a cause or a conversion is rightly named if its text, in small letters, has one of them.
        kind: whether the model or the conversion of its weights is wrong.
        acts: texts that stand once, on lines where the mistake takes effect if that is not where it is written.
    """

    pair: str
    right: str
    wrong: str
    names: frozenset[str]
    kind: Literal["program", "conversion"] = "program"
    acts: tuple[str, ...] = ()

    @property
    def file(self) -> Path:
        """The pair's file."""
        return HERE / f"{self.pair}.py"

    def lines(self) -> set[int]:
        """Return the lines, counted from 1, at which a reader would accept to be pointed.

        Raises:
            ValueError: a text does not stand once in the file.
        """
        source = self.file.read_text()
        found: set[int] = set()
        for text in (self.right, *self.acts):
            if source.count(text) != 1:
                raise ValueError(f"{self.pair}: {source.count(text)} times: {text}")
            first = source[: source.index(text)].count("\n") + 1
            found |= set(range(first, first + text.count("\n") + 1))
        return found


def planted(mistakes: Sequence[Mistake], folder: Path) -> Path:
    """Write a copy of the folder of a pair with one or more mistakes; return the pair's file in it.

    Raises:
        ValueError: a text does not stand once, or the mistakes are of several pairs.
    """
    pair = mistakes[0].pair
    if any(one.pair != pair for one in mistakes):
        raise ValueError("mistakes of one pair, please")
    home = shutil.copytree(
        mistakes[0].file.parent, folder / "pair", ignore=shutil.ignore_patterns("__pycache__")
    )
    file = home / mistakes[0].file.name
    source = file.read_text()
    for one in mistakes:
        if source.count(one.right) != 1:
            raise ValueError(f"{pair}: {source.count(one.right)} times: {one.right}")
        source = source.replace(one.right, one.wrong)
    file.write_text(source)
    return file


def two_at_a_time() -> list[tuple[Mistake, Mistake]]:
    """Return pairs of mistakes that can stand in one file: each with the one after the next of its pair."""
    found = []
    for pair in dict.fromkeys(one.pair for one in MISTAKES):
        own = [one for one in MISTAKES if one.pair == pair]
        for one, other in zip(own, own[2:], strict=False):
            source = one.file.read_text().replace(one.right, one.wrong)
            if source.count(other.right) == 1 and other.right in one.file.read_text():
                found.append((one, other))
    return found


def _all(pair: str, *rows: tuple) -> list[Mistake]:
    found = []
    for right, wrong, names, *rest in rows:
        kind = "conversion" if "conversion" in rest else "program"
        acts = tuple(one for one in rest if one != "conversion")
        # a number or a letter alone stands in many texts, wrong ones among them
        words = (
            one
            for one in names.split("|")
            if len(one) > 2 and any(map(str.isalpha, one)) or one in "ε√½"
        )
        found.append(Mistake(pair, right, wrong, frozenset(words), kind, acts))
    return found


_EPSILON = "epsilon|eps|ε"
_GELU = "gelu|erf|tanh"
_VARIANCE = "biased|n − 1|n - 1|n-1|n/(n|variance"
_RESIDUAL = "missing|residual|left out|doubled|twice|term"
_SCALE = "factor|scale|√|sqrt|times|divided"
_MASK = "mask"
_NOT_LOADED = "not loaded|without a partner"
_GATES = "gates|order|swapped|blocks"
_QKV = "order|swapped|q, k|fused|blocks"
_TRANSPOSED = "transposed|axes swapped"
_UNTIED = "tied|untied|not loaded|without a partner"
_ACTIVATION = "silu|relu|gelu|activation|sigmoid|tanh"
_AXIS = "axis"
_PADDING = "padding|pads"
_STOPPED = "gradient|stop_gradient|flows back|stopped"
_TERM = "term|missing|left out|not taken|gradient"
_ROTARY = "rotary|interleaved|halves|order|pairs|layout"

MISTAKES = [
    *_all(
        "mlp/mlp_linen",
        (
            "epsilon: float = 1e-5",
            "epsilon: float = 1e-3",
            _EPSILON,
            "jax.lax.rsqrt(var + self.epsilon)",
        ),
        (
            "momentum: float = 0.9",
            "momentum: float = 0.1",
            "momentum",
            "ra_mean.value = self.",
            "ra_var.value = self.",
        ),
        (
            "momentum: float = 0.9\n",
            "momentum: float = 0.99\n",
            "momentum",
            "ra_mean.value = self.",
            "ra_var.value = self.",
        ),
        ("unbiased = var * n / (n - 1)", "unbiased = var", _VARIANCE, "ra_var.value = self."),
        ("nn.gelu(x, approximate=False)", "nn.gelu(x)", _GELU),
        ("negative_slope=0.1", "negative_slope=0.01", "slope|leaky"),
        (
            "x = x + nn.Dropout(0.2, deterministic=not train)(y)",
            "x = nn.Dropout(0.2, deterministic=not train)(y)",
            _RESIDUAL,
        ),
        ("nn.log_softmax(x, axis=-1)", "nn.log_softmax(x, axis=0)", _AXIS),
        ("axis=-1).mean()", "axis=-1).sum()", "reduction|mean|sum|factor", "jnp.take_along_axis"),
        ("optax.adamw(1e-3, weight_decay=1e-2)", "optax.adamw(1e-3)", "decay"),
        (
            "optax.adamw(1e-3, weight_decay=1e-2)",
            "optax.adamw(1e-3, weight_decay=1e-2, eps=1e-6)",
            _EPSILON,
        ),
        (
            "optax.adamw(1e-3, weight_decay=1e-2)",
            "optax.chain(optax.add_decayed_weights(1e-2), optax.adam(1e-3))",
            "decay|coupled",
        ),
        (
            '"kernel": state[f"{name}.weight"].T,',
            '"kernel": state[f"{name}.weight"].T if name != "fc2" else state[f"{name}.weight"],',
            _TRANSPOSED,
            "conversion",
        ),
        (
            '"var": state[f"{name}.running_var"]',
            '"var": jnp.ones_like(state[f"{name}.running_var"])',
            _NOT_LOADED,
            "conversion",
        ),
        (
            '"bias": state[f"{name}.bias"],\n        }',
            '"bias": jnp.zeros_like(state[f"{name}.bias"]),\n        }',
            _NOT_LOADED,
            "conversion",
        ),
    ),
    *_all(
        "mlp/mlp_nnx",
        ("approximate=False", "approximate=True", _GELU),
        (
            "self.var[...] = before + (self.var[...] - before) * n / (n - 1)",
            "pass",
            _VARIANCE,
            "y = super().__call__(x)",
        ),
        (
            "self.bn2 = BatchNorm(hidden, momentum=0.9, epsilon=1e-5,",
            "self.bn2 = BatchNorm(hidden, momentum=0.9, epsilon=1e-3,",
            _EPSILON,
            "y = self.bn2(self.fc2(x))",
        ),
        (
            "self.bn1 = BatchNorm(hidden, momentum=0.9,",
            "self.bn1 = BatchNorm(hidden, momentum=0.99,",
            "momentum",
            "jax.nn.gelu(self.bn1",
            "y = super().__call__(x)",
            "self.var[...] = before",
        ),
        ("nnx.leaky_relu(y, 0.1)", "nnx.relu(y)", "slope|leaky|relu"),
        ("axis=-1)", "axis=0)", _AXIS),
        ('for name in ("bn1", "bn2"):', 'for name in ("bn1",):', _NOT_LOADED, "conversion"),
    ),
    *_all(
        "mlp/mlp_equinox",
        (
            "var = kept + (var - kept) * n / (n - 1)",
            "pass",
            _VARIANCE,
            "y, state = super().__call__(x, state)",
        ),
        ("approximate=False", "approximate=True", _GELU),
        ("jax.nn.leaky_relu(y, 0.1)", "jax.nn.leaky_relu(y)", "slope|leaky"),
        (
            'self.bn1 = BatchNorm(hidden, "batch", eps=1e-5',
            'self.bn1 = BatchNorm(hidden, "batch", eps=1e-6',
            _EPSILON,
            "x, state = self.bn1(x, state)",
            "y, state = super().__call__(x, state)",
        ),
        ("x = x + self.drop(", "x = self.drop(", _RESIDUAL),
        ("jax.nn.log_softmax(self.head(x))", "jax.nn.softmax(self.head(x))", "log|softmax"),
        (
            'weights[f"{name}.running_mean"], weights[f"{name}.running_var"]',
            'weights[f"{name}.running_mean"], weights[f"{name}.running_var"] ** 0.5',
            "square|√|root|sqrt|not loaded|without a partner|factor",
            "conversion",
        ),
    ),
    *_all(
        "mlp/mlp_jax",
        ("0.1 * var * n / (n - 1)", "0.1 * var", _VARIANCE),
        (
            "x = 0.5 * x * (1 + jax.lax.erf(x / jnp.sqrt(2.0)))",
            "x = 0.5 * x * (1 + jax.lax.erf(x))",
            "√|sqrt|factor|gelu|erf",
        ),
        ("var = jnp.mean((x - mean) ** 2, axis=0)", "var = jnp.var(x, axis=0, ddof=1)", _VARIANCE),
        ("jnp.sqrt(var + 1e-5)", "(jnp.sqrt(var) + 1e-5)", _EPSILON + "|sqrt|root"),
        (
            'y, new["bn2"] = batch_norm(params["bn2"], state["bn2"], y, train)',
            'y, new["bn2"] = batch_norm(params["bn2"], state["bn2"], jax.lax.stop_gradient(y), train)',
            _STOPPED,
        ),
        ("jnp.where(y > 0, y, 0.1 * y)", "jnp.where(y > 0, y, 0.01 * y)", "slope|leaky|0.1"),
        ("axis=1, keepdims=True", "axis=0, keepdims=True", _AXIS),
        (
            'linear(params["fc2"], x)',
            'linear(params["fc1"] | {"w": params["fc2"]["w"]}, x)',
            "bias|fc1|fc2|twice|not loaded|without a partner|operand",
        ),
    ),
    *_all(
        "mlp/mlp_haiku",
        ("jnp.var(x, axis=0, ddof=1)", "jnp.var(x, axis=0)", _VARIANCE),
        (
            '"mean", 0.9 * moving_mean + 0.1 * mean',
            '"mean", 0.99 * moving_mean + 0.01 * mean',
            "momentum|0.9",
        ),
        ("x = x + jax.nn.leaky_relu(y, 0.1)", "x = x + jax.nn.leaky_relu(y, 0.2)", "slope|leaky"),
        ("is_training), approximate=False)", "is_training))", _GELU),
    ),
    *_all(
        "mlp/mlp_numpy",
        (
            "d_hat = d_hat - d_hat.mean(axis=0) - hat * (d_hat * hat).mean(axis=0)",
            "d_hat = d_hat - d_hat.mean(axis=0)",
            _TERM,
        ),
        ("d_gamma = (d * hat).sum(axis=0)", "d_gamma = (d * hat).mean(axis=0)", "mean|sum|factor"),
        ("d_n1 = d_a1 * (cdf + n1 * pdf)", "d_n1 = d_a1 * cdf", _TERM),
        ("np.where(n2 > 0, 1.0, 0.1)", "np.where(n2 > 0, 1.0, 0.01)", "slope|0.1"),
        ('d_a1 = d_z2 @ p["W2"].T + d_h', 'd_a1 = d_z2 @ p["W2"].T', _TERM + "|residual"),
        (
            "d_logits = d_out - np.exp(out) * d_out.sum(axis=1, keepdims=True)",
            "d_logits = d_out - np.exp(out)",
            _TERM + "|factor|sum",
        ),
        (
            "return d_hat / std, d_gamma, d_beta",
            "return d_hat / std**2, d_gamma, d_beta",
            "factor|square|std|operand|power",
        ),
        ('g["W2"] = a1.T @ d_z2', 'g["W2"] = n1.T @ d_z2', "operand|a1|n1|belongs"),
        (
            "d_outputs[rows, labels] = -1 / len(labels)",
            "d_outputs[rows, labels] = -1",
            "factor|mean|sum|times",
        ),
        (
            "v[k] + 0.001 * grads[k] ** 2",
            "v[k] + 0.01 * grads[k] ** 2",
            "0.001|β|beta|factor|0.999",
        ),
        ("v_hat = v[k] / (1 - 0.999**t)", "v_hat = v[k]", "correction|factor|0.999"),
        ("(np.sqrt(v_hat) + 1e-8)", "np.sqrt(v_hat + 1e-8)", _EPSILON + "|root|sqrt"),
    ),
    *_all(
        "conv/conv_linen",
        ("padding=((2, 2), (1, 1))", 'padding="SAME"', _PADDING),
        (
            "y = nn.Conv(self.channels, (3, 3), strides, padding=1,",
            'y = nn.Conv(self.channels, (3, 3), strides, padding="SAME",',
            _PADDING,
        ),
        (
            "x = nn.max_pool(x, (3, 3), strides=(2, 2), padding=((1, 1), (1, 1)))",
            'x = nn.max_pool(x, (3, 3), strides=(2, 2), padding="SAME")',
            _PADDING,
        ),
        (
            "x = nn.avg_pool(x, (3, 3), strides=(2, 2), padding=((1, 1), (1, 1)))",
            "x = nn.avg_pool(x, (3, 3), strides=(2, 2), padding=((1, 1), (1, 1)), count_include_pad=False)",
            "count_include_pad|padding|pads",
        ),
        ("num_groups=2, epsilon=1e-5,", "num_groups=2,", _EPSILON),
        ("num_groups=2, epsilon=1e-5,", "num_groups=4, epsilon=1e-5,", "groups"),
        (
            "momentum: float = 0.9",
            "momentum: float = 0.99",
            "momentum",
            "ra_mean.value = self.",
            "ra_var.value = self.",
        ),
        ("* var * n / (n - 1)", "* var", _VARIANCE),
        ("return nn.relu(y + skip)", "return nn.relu(y)", _RESIDUAL),
        ("padding=((1, 2), (1, 1))", "padding=((2, 1), (1, 1))", _PADDING),
        ("x = nn.silu(x)", "x = nn.gelu(x)", _ACTIVATION),
        (
            "x = jnp.transpose(x, (0, 3, 1, 2)).reshape(x.shape[0], -1)",
            "x = x.reshape(x.shape[0], -1)",
            "order|layout|axes|flatten|nhwc|nchw|permut",
        ),
        ("(2, 3, 0, 1))[::-1, ::-1]", "(2, 3, 0, 1))", "flip", "conversion"),
        (
            '"mean": state[f"{name}.running_mean"]',
            '"mean": jnp.zeros_like(state[f"{name}.running_mean"])',
            _NOT_LOADED,
            "conversion",
        ),
    ),
    *_all(
        "conv/conv_nnx",
        (
            "padding=((2, 2), (1, 1))",
            'padding="SAME"',
            _PADDING,
            "x = nnx.relu(self.norm(self.stem(x)))",
        ),
        (
            "layer.kernel.value = value.transpose(2, 3, 1, 0)",
            "layer.kernel.value = value.transpose(2, 3, 1, 0)[:: -1 if name == 'up.weight' else 1]",
            "flip",
            "conversion",
        ),
        (
            "jnp.moveaxis(x, -1, 1).reshape(len(x), -1)",
            "x.reshape(len(x), -1)",
            "order|layout|axes|flatten|nhwc|nchw|permut",
        ),
        ("* n / (n - 1)", "* 1", _VARIANCE),
        (
            "x = nnx.max_pool(x, (3, 3), strides=(2, 2), padding=((1, 1), (1, 1)))",
            'x = nnx.max_pool(x, (3, 3), strides=(2, 2), padding="SAME")',
            _PADDING,
        ),
        (
            "x = nnx.silu(self.up(self.block(x)))",
            "x = nnx.relu(self.up(self.block(x)))",
            _ACTIVATION,
        ),
        (
            "value.transpose(2, 3, 1, 0)",
            "value.transpose(3, 2, 1, 0) if value.shape[2:] == (3, 3) else value.transpose(2, 3, 1, 0)",
            _TRANSPOSED,
            "conversion",
        ),
    ),
    *_all(
        "conv/conv_equinox",
        (
            "padding=(2, 1), key=k1",
            "padding=(1, 2), key=k1",
            _PADDING,
            "x = self.pool(jax.nn.relu(self.norm(self.stem(x))))",
        ),
        (
            "self.average = eqx.nn.AvgPool2d(3, stride=2, padding=1)",
            "self.average = eqx.nn.AvgPool2d(3, stride=2, padding=((0, 2), (1, 1)))",
            _PADDING,
            "self.average(x).ravel()",
        ),
        (
            "self.norm = eqx.nn.GroupNorm(2, 4)",
            "self.norm = eqx.nn.GroupNorm(2, 4, eps=1e-6)",
            _EPSILON,
            "x = self.pool(jax.nn.relu(self.norm(self.stem(x))))",
        ),
        (
            "value = jnp.flip(value.swapaxes(0, 1), (2, 3))",
            "value = value.swapaxes(0, 1)",
            "flip",
            "conversion",
        ),
        (
            "return jax.nn.relu(y + self.skip(x))",
            "return jax.nn.relu(y) + self.skip(x)",
            _ACTIVATION + "|order",
        ),
        (
            "y = jax.nn.relu(self.norm1(self.conv1(x)))",
            "y = self.norm1(jax.nn.relu(self.conv1(x)))",
            _ACTIVATION + "|order",
        ),
    ),
    *_all(
        "conv/conv_jax",
        (
            "padding = ((1, 2), (1, 1))",
            "padding = ((2, 1), (1, 1))",
            _PADDING,
            "x, w, (1, 1), padding,",
        ),
        (
            "return total / size**2",
            "return total / lax.reduce_window(jnp.ones_like(x), 0.0, lax.add, (1, 1, size, size), (1, 1, stride, stride), padding)",
            "count_include_pad|padding|pads",
        ),
        (
            'w = jnp.flip(p["w"], (2, 3)).swapaxes(0, 1)',
            'w = p["w"].swapaxes(0, 1)',
            "flip",
            "x, w, (1, 1), padding,",
        ),
        (
            "ones = ((1, 1), (1, 1))",
            "ones = ((0, 1), (0, 2))",
            _PADDING,
            'conv(p["conv1"], x, 2, ones)',
        ),
        (
            "var = g.var(axis=2, keepdims=True)",
            "var = g.var(axis=2, keepdims=True, ddof=1)",
            _VARIANCE,
        ),
        ("x, -jnp.inf, lax.max,", "x, 0.5, lax.max,", "0.5|inf|initial|start|constant"),
        (
            "x = x * jax.nn.sigmoid(x)",
            "x = x * jax.nn.sigmoid(1.702 * x)",
            _ACTIVATION + "|1.702|factor",
        ),
        ("groups=2, eps=1e-5", "groups=2, eps=1e-3", _EPSILON, "jnp.sqrt(var + eps)"),
        (
            'y = group_norm(p["norm2"]',
            'y = group_norm(p["norm1"]',
            "norm1|norm2|operand|not loaded|without a partner|twice",
        ),
    ),
    *_all(
        "conv/conv_numpy",
        (
            'conv_forward(x, p["stem.w"], 2, (2, 1))',
            'conv_forward(np.roll(x, 1, axis=3), p["stem.w"], 2, (2, 1))',
            _PADDING + "|roll|shift",
        ),
        (
            "padded = pad(x, 1, 1, -np.inf)",
            "padded = pad(x, 1, 1, 0.5)",
            "0.5|inf|constant|padding",
            "windows.max(axis=0)",
        ),
        (
            "d_x[:, :, rows, columns] += d * (winner == at)",
            "d_x[:, :, rows, columns] = d * (winner == at)",
            "accumulat|+=|term|missing|sum",
        ),
        ("d_x[:, :, rows, columns] += d / 9", "d_x[:, :, rows, columns] += d / 3", "factor|9|3"),
        ("d_u = d_u * (gate + u * gate * (1 - gate))", "d_u = d_u * gate", _TERM),
        ("d_c = d_c * (c > 0)", "d_c = d_c * (b > 0)", "operand|b|c|belongs|mask"),
        (
            "d_a = max_pool_backward(d_pooled + d_skip, pool) * (a > 0)",
            "d_a = max_pool_backward(d_pooled, pool) * (a > 0)",
            _TERM + "|residual",
        ),
        ("d_x = d_x - hat * (d_hat * hat).mean(axis=2, keepdims=True)", "pass", _TERM),
        (
            'd_w[:, :, i, j] = np.einsum("nchw,nohw->co"',
            'd_w[:, :, 2 - i, 2 - j] = np.einsum("nchw,nohw->co"',
            "flip|order",
        ),
    ),
    *_all(
        "rnn/gru_linen",
        (
            "w_ir, w_iz, w_in = np.split(w_ih, 3)",
            "w_iz, w_ir, w_in = np.split(w_ih, 3)",
            _GATES,
            "conversion",
        ),
        (
            "w_hr, w_hz, w_hn = np.split(w_hh, 3)",
            "w_hz, w_hr, w_hn = np.split(w_hh, 3)",
            _GATES,
            "conversion",
        ),
        (
            '"in": {"kernel": w_in.T, "bias": b_in}',
            '"in": {"kernel": w_in.T, "bias": b_in + b_hn}',
            "bias|not loaded|without a partner",
            "conversion",
        ),
        (
            '"bias": b_ir + b_hr',
            '"bias": b_ir',
            "not loaded|bias|missing|without a partner|half",
            "conversion",
        ),
        ('"hz": {"kernel": w_hz.T}', '"hz": {"kernel": w_hz}', _TRANSPOSED, "conversion"),
        (
            '"kernel": w_hn.T, "bias": b_hn',
            '"kernel": w_hn.T, "bias": 0 * b_hn',
            _NOT_LOADED,
            "conversion",
        ),
        (
            "cell = nn.GRUCell(self.hidden, name=",
            "cell = nn.GRUCell(self.hidden, activation_fn=nn.sigmoid, name=",
            _ACTIVATION,
            'h = nn.RNN(cell, name="gru")(x, initial_carry=start)',
        ),
        ("axis=-1)", "axis=1)", _AXIS),
        (
            "(x, initial_carry=start)",
            "(x, initial_carry=start, reverse=True)",
            "reverse|flip|order",
        ),
    ),
    *_all(
        "rnn/gru_nnx",
        (
            'tagger.cell.dense_h.bias.value = weights["gru.bias_hh_l0"]',
            "pass",
            _NOT_LOADED,
            "conversion",
        ),
        (
            'tagger.cell.dense_h.bias.value = weights["gru.bias_hh_l0"]',
            'tagger.cell.dense_i.bias.value += weights["gru.bias_hh_l0"]',
            "bias|not loaded|without a partner",
            "conversion",
        ),
        (
            '= weights["gru.weight_hh_l0"].T',
            '= weights["gru.weight_hh_l0"].reshape(3, 7, 7).transpose(0, 2, 1).reshape(21, 7).T',
            _TRANSPOSED + "|blocks",
            "conversion",
        ),
        (
            "h, _ = self.cell(h, x[:, t])",
            "h, _ = self.cell(jax.lax.stop_gradient(h), x[:, t])",
            _STOPPED,
        ),
        (
            "h = jnp.zeros(",
            "h = jnp.ones(",
            "ones|0|1|zeros|initial",
            "h, _ = self.cell(h, x[:, t])",
        ),
        ("jax.nn.log_softmax(logits, axis=-1)", "jax.nn.log_softmax(logits, axis=0)", _AXIS),
    ),
    *_all(
        "rnn/gru_equinox",
        ("bias = b_ih + b_hh.at[2 * hidden :].set(0)", "bias = b_ih + b_hh", "bias", "conversion"),
        (
            "bias = b_ih + b_hh.at[2 * hidden :].set(0)",
            "bias = b_ih",
            "bias|not loaded|missing|half|without a partner",
            "conversion",
        ),
        (
            'w["gru.weight_hh_l0"],',
            'w["gru.weight_hh_l0"][jnp.r_[7:14, 0:7, 14:21]],',
            _GATES,
            "conversion",
        ),
        ("return h, h", "return h, h + x_t.sum()", _RESIDUAL),
        (
            '            w["embed.weight"],',
            '            w["embed.weight"] * 6**0.5,',
            _SCALE,
            "conversion",
        ),
    ),
    *_all(
        "rnn/gru_jax",
        ("n = jnp.tanh(x_n + r * h_n)", "n = jnp.tanh(r * (x_n + h_n))", "reset|gate|factor|order"),
        (
            "return (1 - z) * n + z * h",
            "return z * n + (1 - z) * h",
            "swapped|1 −|gate|z|exchanged",
        ),
        ('p["w_hh"] @ h + p["b_hh"]', 'p["w_hh"] @ h', "bias|missing|without a partner|term"),
        (
            "x_r, x_z, x_n = jnp.split",
            "x_z, x_r, x_n = jnp.split",
            _GATES,
            "r = jax.nn.sigmoid(x_r + h_r)",
            "z = jax.nn.sigmoid(x_z + h_z)",
        ),
        ("n = jnp.tanh(x_n + r * h_n)", "n = jax.nn.sigmoid(x_n + r * h_n)", _ACTIVATION),
        ("r = jax.nn.sigmoid(x_r + h_r)", "r = jax.nn.hard_sigmoid(x_r + h_r)", _ACTIVATION),
        (
            '"w_hh": w["gru.weight_hh_l0"]',
            '"w_hh": jnp.concatenate([b.T for b in jnp.split(w["gru.weight_hh_l0"], 3)])',
            _TRANSPOSED + "|blocks",
            "conversion",
        ),
    ),
    *_all(
        "rnn/gru_numpy",
        ("d_n = d_h * (1 - z) * (1 - n**2)", "d_n = d_h * (1 - z)", _TERM + "|factor"),
        (
            "d_z = d_h * (before - n) * z * (1 - z)",
            "d_z = d_h * (n - before) * z * (1 - z)",
            "sign|−1|-1",
        ),
        ("d_r = d_n * h_n * r * (1 - r)", "d_r = d_n * r * (1 - r)", _TERM + "|factor|h_n"),
        ("[d_r, d_z, d_n * r]", "[d_r, d_z, d_n]", _TERM + "|factor|reset"),
        ("d_h = d_h * z + d_hh @ w_hh", "d_h = d_hh @ w_hh", _TERM),
        (
            'grads["w_hh"] += d_hh.T @ before',
            'grads["w_hh"] = d_hh.T @ before',
            "accumulat|+=|term|missing|sum",
        ),
        (
            'np.add.at(grads["embed"], ids[:, t], d_ih @ w_ih)',
            'grads["embed"][ids[:, t]] = d_ih @ w_ih',
            "accumulat|add.at|+=|term|missing|sum|repeated",
        ),
        ("n = np.tanh(x_n + r * h_n)", "n = np.tanh(x_n + h_n)", "reset|gate|factor|r|missing"),
    ),
    *_all(
        "rnn/lstm_linen",
        ('gates = "ifgo"', 'gates = "igfo"', _GATES, "conversion"),
        (
            'bias = state[f"lstm.bias_ih_l{layer}"] + state[f"lstm.bias_hh_l{layer}"]',
            'bias = state[f"lstm.bias_ih_l{layer}"]',
            "bias|not loaded|half|without a partner|missing",
            "conversion",
        ),
        ("nn.LayerNorm(epsilon=1e-5, ", "nn.LayerNorm(", _EPSILON),
        (
            '"lstm1": convert_lstm(state, 1)',
            '"lstm1": convert_lstm(state, 0)',
            "not loaded|lstm1|l1|l0|layer|without a partner|tied",
            "conversion",
        ),
        (
            "return x[:, -1] + nn.Dense",
            "return x[:, 0] + nn.Dense",
            "index|last|position|first|slice|operand",
        ),
        ("(h[:, -1])", "(h[:, -2])", "index|last|position|first|slice|off by one"),
        (
            'params = {f"i{gate}": {"kernel": w.T}',
            'params = {f"i{gate}": {"kernel": w}',
            _TRANSPOSED,
            "conversion",
        ),
        ('"bias": b}', '"bias": b + (gate == "f")}', "bias|forget|1", "conversion"),
        (
            "cell = nn.OptimizedLSTMCell(self.hidden,",
            "cell = nn.OptimizedLSTMCell(self.hidden, activation_fn=nn.relu,",
            _ACTIVATION,
            "h = nn.RNN(cell)(h, initial_carry=(zero, zero))",
        ),
        (
            "h = nn.RNN(cell)(h, initial_carry=(zero, zero))",
            "h = nn.RNN(cell)(h, initial_carry=(zero, zero)) + h",
            _RESIDUAL,
        ),
    ),
    *_all(
        "rnn/lstm_nnx",
        (
            "(cell.ii, cell.if_, cell.ig, cell.io)",
            "(cell.ii, cell.ig, cell.if_, cell.io)",
            _GATES,
            "conversion",
        ),
        (
            "from_hidden[at].kernel.value = w_hh[rows].T",
            "from_hidden[at].kernel.value = w_hh[rows]",
            _TRANSPOSED,
            "conversion",
        ),
        ("load_cell(model.upper, weights, 1)", "pass", _NOT_LOADED, "conversion"),
        (
            "(c, h), _ = cell((c, h), x[:, t])",
            "(c, h), _ = cell((h, c), x[:, t])",
            "order|swapped|exchanged|operand",
        ),
        ("return x[:, -1] + self.head(h)", "return self.head(h)", _RESIDUAL),
        (
            "nnx.LayerNorm(hidden, epsilon=1e-5,",
            "nnx.LayerNorm(hidden,",
            _EPSILON,
            "h = self.norm(h[:, -1])",
        ),
    ),
    *_all(
        "rnn/lstm_equinox",
        (
            'w[f"lstm.bias_ih_l{layer}"] + w[f"lstm.bias_hh_l{layer}"],',
            'w[f"lstm.bias_hh_l{layer}"],',
            "bias|not loaded|half|without a partner|missing",
            "conversion",
        ),
        (
            '            w[f"lstm.weight_ih_l{layer}"],',
            '            w[f"lstm.weight_ih_l{layer}"][jnp.r_[0:5, 5:10, 15:20, 10:15]],',
            _GATES,
            "conversion",
        ),
        ("eps=1e-5", "eps=1e-12", _EPSILON, "self.head(self.norm(h[-1]))"),
        ("return carry, carry[0]", "return carry, carry[1]", "cell|carry|output|operand|tanh"),
        (
            '(m.norm.weight, m.norm.bias), model, w["norm.weight"], w["norm.bias"]',
            '(m.norm.weight,), model, w["norm.weight"]',
            _NOT_LOADED,
            "conversion",
        ),
    ),
    *_all(
        "rnn/lstm_jax",
        (
            "i, f, g, o = jnp.split(gates, 4, axis=-1)",
            "i, g, f, o = jnp.split(gates, 4, axis=-1)",
            _GATES,
            "c = jax.nn.sigmoid(f) * c",
        ),
        ("h = jax.nn.sigmoid(o) * jnp.tanh(c)", "h = jax.nn.sigmoid(o) * c", _ACTIVATION),
        (
            "c = jax.nn.sigmoid(f) * c",
            "c = jax.nn.sigmoid(f + 1) * c",
            "1|forget|added|constant|term",
        ),
        ("var = x.var(-1, keepdims=True)", "var = x.var(-1, keepdims=True, ddof=1)", _VARIANCE),
        ("eps=1e-5", "eps=1e-6", _EPSILON, "jnp.sqrt(var + eps)"),
        (
            'h = layer_norm(params["norm"], h[:, -1])',
            'h = layer_norm(params["norm"], jax.lax.stop_gradient(h)[:, -1])',
            _STOPPED,
        ),
        (
            'h = layer_norm(params["norm"], h[:, -1])',
            'h = layer_norm(params["norm"], h.mean(axis=1))',
            "mean|last|index",
        ),
    ),
    *_all(
        "rnn/lstm_haiku",
        (
            "return np.concatenate([i, g, f, o])",
            "return np.concatenate([i, f, g, o])",
            _GATES,
            "conversion",
        ),
        (
            "bias = np.concatenate([i, g, f - 1, o])",
            "bias = np.concatenate([i, g, f, o])",
            "1|forget|bias",
            "conversion",
        ),
        ("return x[:, -1] + hk.Linear", "return 2 * x[:, -1] + hk.Linear", _RESIDUAL + "|factor|2"),
        ("create_offset=True, name", "create_offset=True, eps=1e-6, name", _EPSILON),
    ),
    *_all(
        "rnn/lstm_numpy",
        ("d_c = d_c + d_h * o * (1 - tanh_c**2)", "d_c = d_h * o * (1 - tanh_c**2)", _TERM),
        ("d_o = d_h * tanh_c * o * (1 - o)", "d_o = d_h * tanh_c", _TERM + "|factor"),
        ("d_f = d_c * c * f * (1 - f)", "d_f = d_c * h * f * (1 - f)", "operand|c|h|belongs"),
        ("d_c = d_c * f", "d_c = d_c * i", "operand|f|i|belongs"),
        ("d_x = d_hat - d_hat.mean(axis=1, keepdims=True)", "d_x = d_hat", _TERM),
        ("d_h2[:, -1] = d_last", "d_h2[:, :] = d_last[:, None]", "index|last|only|position|slice"),
        (
            "d_w_hh += d_gates.T @ h",
            "d_w_hh += d_gates.T @ (o * tanh_c)",
            "operand|h|belongs|off by one",
        ),
    ),
    *_all(
        "transformer/transformer_linen",
        ('nn.LayerNorm(epsilon=1e-5, name="norm1")', 'nn.LayerNorm(name="norm1")', _EPSILON),
        ("y = nn.gelu(y, approximate=False)", "y = nn.gelu(y)", _GELU),
        ("y = nn.gelu(y, approximate=False)", "y = nn.silu(y)", _ACTIVATION),
        ("jnp.sqrt(shape[1])", "jnp.sqrt(width)", _SCALE),
        (
            "scores = jnp.where(mask, scores, -jnp.inf)",
            "scores = jnp.where(mask, scores, -10.0)",
            _MASK + "|-10|−10|inf",
        ),
        ("scores = jnp.where(mask, scores, -jnp.inf)", "pass", _MASK),
        ("nn.softmax(scores, axis=-1)", "nn.softmax(scores, axis=-2)", _AXIS),
        (
            "angles = jnp.concatenate([angles, angles], axis=-1)[:, None, :]",
            "angles = jnp.repeat(angles, 2, axis=-1)[:, None, :]",
            _ROTARY,
            "x * jnp.cos(angles)",
        ),
        (
            "x1, x2 = jnp.split(x, 2, axis=-1)\n    return jnp.concatenate([-x2, x1], axis=-1)",
            "x1, x2 = x[..., ::2], x[..., 1::2]\n    return jnp.stack([-x2, x1], axis=-1).reshape(x.shape)",
            _ROTARY,
        ),
        (
            "q, k = rotary(q), rotary(k)",
            "q, k = rotary(q), k",
            "rotary|missing|not rotated|sin|cos",
        ),
        (
            "base=10000.0",
            "base=1000.0",
            "base|10000|constant|frequenc",
            "frequencies = base **",
            "return x * jnp.cos(angles)",
        ),
        ("return x + drop(y)", "return drop(y)", _RESIDUAL),
        (
            'zip(("query", "key", "value"), weights, biases)',
            'zip(("key", "query", "value"), weights, biases)',
            _QKV,
            "conversion",
        ),
        (
            "kernel = weight.T.reshape(width, heads, -1)",
            "kernel = weight.reshape(width, heads, -1)",
            _TRANSPOSED + "|order",
            "conversion",
        ),
        (
            'out = state[name + ".out.weight"].T.reshape(heads, -1, width)',
            'out = state[name + ".out.weight"].reshape(heads, -1, width)',
            _TRANSPOSED + "|order",
            "conversion",
        ),
        (
            '"norm2": norm(state, name + ".norm2")',
            '"norm2": norm(state, name + ".norm1")',
            "norm1|norm2|not loaded|without a partner|tied",
            "conversion",
        ),
    ),
    *_all(
        "transformer/transformer_nnx",
        ("q.shape[-1] ** -0.5", "x.shape[-1] ** -0.5", _SCALE),
        (
            "visible = jnp.tril(jnp.ones((steps, steps), bool))",
            "visible = jnp.tril(jnp.ones((steps, steps), bool), 1)",
            _MASK + "|off by one|diagonal",
            "jax.nn.softmax(scores, axis=-1, where=visible)",
        ),
        (
            "x = x + self.drop(self.attention(self.norm1(x)))",
            "x = self.norm1(x + self.drop(self.attention(x)))",
            "norm|order|post",
        ),
        (
            "nnx.gelu(self.up(self.norm2(x)), approximate=False)",
            "nnx.gelu(self.up(self.norm2(x)))",
            _GELU,
        ),
        (
            "theta=10000.0",
            "theta=1000.0",
            "base|theta|θ|10000|constant",
            "freqs = 1.0 / theta",
            "cos, sin = jnp.cos(angle)",
        ),
        (
            "[a * cos - b * sin, b * cos + a * sin]",
            "[a * cos + b * sin, b * cos - a * sin]",
            "sign|−|-1|rotary|direction",
        ),
        (
            "x = x.reshape(*x.shape[:2], self.heads, -1)\n        return x.transpose(0, 2, 1, 3)",
            "x = x.reshape(*x.shape[:2], -1, self.heads)\n        return x.transpose(0, 3, 1, 2)",
            "heads|order|layout|interleaved|axes|reshape",
        ),
        (
            'layer.bias.value = weights[name + ".bias"]\n\n    def norm',
            "pass\n\n    def norm",
            _NOT_LOADED,
            "conversion",
        ),
        (
            "self.norm2 = nnx.LayerNorm(width, epsilon=1e-5,",
            "self.norm2 = nnx.LayerNorm(width, epsilon=1e-6,",
            _EPSILON,
            "self.up(self.norm2(x))",
        ),
        (
            'linear(block.attention.out, f"blocks.{at}.attention.out")',
            'block.attention.out.kernel.value = weights[f"blocks.{at}.attention.out.weight"]',
            _TRANSPOSED + "|not loaded|without a partner",
            "conversion",
        ),
    ),
    *_all(
        "transformer/transformer_equinox",
        ("jnp.sqrt(q.shape[-1])", "jnp.sqrt(q.shape[0])", _SCALE),
        ("jnp.finfo(scores.dtype).min", "-1.0", _MASK + "|-1|−1"),
        (
            "angles = jnp.tile(angles, (1, 2))",
            "angles = jnp.repeat(angles, 2, axis=1)",
            _ROTARY,
            "return x * jnp.cos(angles)",
        ),
        ("q, k = rotary(q), rotary(k)", "q, k = q, k", "rotary|missing|not rotated|sin|cos"),
        ("approximate=False", "approximate=True", _GELU),
        (
            "x = x + self.attention(jax.vmap(self.norm1)(x))",
            "x = x + self.attention(x)",
            "norm|missing|layernorm",
        ),
        (
            "y = jax.vmap(self.head, in_axes=1, out_axes=1)(q, k, v)",
            "y = jax.vmap(self.head, in_axes=1, out_axes=1)(k, q, v)",
            "swapped|exchanged|order|operand",
        ),
        (
            'in zip(("query", "key", "value"), weights, biases):',
            'in zip(("query", "key", "value"), weights, biases[::-1]):',
            _QKV,
            "conversion",
        ),
    ),
    *_all(
        "transformer/transformer_jax",
        ("/ size**0.5", "/ width**0.5", _SCALE),
        (
            "future = jnp.triu(jnp.ones((steps, steps), bool), k=1)",
            "future = jnp.triu(jnp.ones((steps, steps), bool), k=2)",
            _MASK + "|off by one|diagonal|k",
            "scores = jnp.where(future, -jnp.inf, scores)",
        ),
        (
            ".reshape(batch, steps, 3, HEADS, size)",
            ".reshape(batch, steps, HEADS, 3, size).swapaxes(2, 3)",
            _QKV + "|heads|interleaved|layout|axes",
        ),
        (
            "y.reshape(batch, steps, width)",
            "jnp.swapaxes(y, 2, 3).reshape(batch, steps, width)",
            "heads|order|layout|axes|permut",
        ),
        (
            "weights = jax.nn.softmax(scores, axis=-1)",
            "weights = jax.nn.softmax(jax.lax.stop_gradient(scores), axis=-1)",
            _STOPPED,
        ),
        (
            'x = x + mlp(p["mlp"], layer_norm(p["norm2"], x))',
            'x = x + 2 * mlp(p["mlp"], layer_norm(p["norm2"], x))',
            "2|factor|doubled|twice",
        ),
        (
            "return (x - mean) * jax.lax.rsqrt(var + 1e-5)",
            "return (x - mean) * jax.lax.rsqrt(var + 1e-6)",
            _EPSILON,
        ),
        ('x = layer_norm(params["norm"], x)', "pass", "norm|missing"),
    ),
    *_all(
        "transformer/transformer_numpy",
        (
            "d_q = d_q * cos - rotate_half(d_q * sin)",
            "d_q = d_q * cos + rotate_half(d_q * sin)",
            "sign|−1|-1",
        ),
        (
            "d_scores = weights * (d_weights - inner) * scale",
            "d_scores = weights * (d_weights - inner)",
            _SCALE,
        ),
        (
            "inner = (d_weights * weights).sum(axis=-1, keepdims=True)",
            "inner = (d_weights * weights).sum(axis=-2, keepdims=True)",
            _AXIS,
        ),
        ("d_z = d_a * (cdf + z * pdf)", "d_z = d_a * cdf", _TERM),
        ("d_k = d_scores.swapaxes(-1, -2) @ q", "d_k = d_scores @ q", "transpos|axes|swap"),
        (
            '            d_n = attention_backward(d_x, attention, p, g, name)\n            d_y, g[name + "norm1.w"], g[name + "norm1.b"] = norm_backward(d_n, norm1)\n            d_x = d_x + d_y',
            '            d_n = attention_backward(d_x, attention, p, g, name)\n            d_y, g[name + "norm1.w"], g[name + "norm1.b"] = norm_backward(d_n, norm1)\n            d_x = d_y',
            _TERM + "|residual",
        ),
        (
            'np.add.at(g["embed"], ids, d_x)',
            'g["embed"][ids] = d_x',
            "accumulat|add.at|+=|term|missing|sum|repeated",
        ),
    ),
    *_all(
        "gpt/gpt_linen",
        (
            "h = nn.gelu(self.c_fc(self.ln_2(x)))",
            "h = nn.gelu(self.c_fc(self.ln_2(x)), approximate=False)",
            _GELU,
        ),
        (
            "self.ln_1 = nn.LayerNorm(epsilon=1e-5)",
            "self.ln_1 = nn.LayerNorm()",
            _EPSILON,
            "x = x + self.attn(self.ln_1(x), mask=mask)",
        ),
        (
            "positions = jnp.arange(ids.shape[1])",
            "positions = jnp.arange(1, ids.shape[1] + 1)",
            "off by one|position|1",
            "self.wpe(positions)",
        ),
        (
            "x = self.wte(ids) + self.wpe(positions)",
            "x = self.wte(ids)",
            "position|missing|term|wpe",
        ),
        ("return x + self.c_proj(h)", "return self.c_proj(h)", _RESIDUAL),
        (
            "mask = nn.make_causal_mask(ids)",
            "mask = None",
            _MASK,
            "x = x + self.attn(self.ln_1(x), mask=mask)",
        ),
        (
            'enumerate(("query", "key", "value"))',
            'enumerate(("value", "key", "query"))',
            _QKV,
            "conversion",
        ),
        (
            'out["kernel"] = out["kernel"].reshape(heads, width // heads, width)',
            'out["kernel"] = out["kernel"].T.reshape(heads, width // heads, width)',
            _TRANSPOSED + "|order",
            "conversion",
        ),
        ("return losses.mean()", "return losses.sum()", "reduction|mean|sum|factor"),
        ("ids[:, 1:])", "ids[:, :-1])", "shift|label|off by one|index|slice|targets"),
        (
            "optax.adamw(3e-4, b1=0.9, b2=0.95, eps=1e-8, weight_decay=0.1)",
            "optax.adamw(3e-4, b1=0.9, b2=0.95, eps=1e-8)",
            "decay",
        ),
        (
            "optax.adamw(3e-4, b1=0.9, b2=0.95, eps=1e-8, weight_decay=0.1)",
            "optax.adamw(3e-4, b1=0.9, b2=0.95, eps=1e-5, weight_decay=0.1)",
            _EPSILON,
        ),
        (
            "optax.adamw(3e-4, b1=0.9, b2=0.95, eps=1e-8, weight_decay=0.1)",
            "optax.adamw(3e-4, b1=0.9, eps=1e-8, weight_decay=0.1)",
            "b2|β|beta|0.95|0.999",
        ),
    ),
    *_all(
        "gpt/gpt_nnx",
        ("is_causal=True", "is_causal=False", _MASK + "|causal"),
        ("approximate=True", "approximate=False", _GELU),
        (
            "a.reshape(b, t, self.heads, c // self.heads) for a",
            "a.reshape(b, t, c // self.heads, self.heads).swapaxes(2, 3) for a",
            "heads|order|layout|interleaved|axes|reshape",
        ),
        ("x = x + self.attn(self.ln_1(x))", "x = self.ln_1(x + self.attn(x))", "norm|order|post"),
        (
            'if name == "lm_head.weight":',
            'if name in ("lm_head.weight", "wpe.weight"):',
            _NOT_LOADED,
            "conversion",
        ),
        (
            "            module.kernel.value = value.T",
            "            module.kernel.value = value if value.shape[0] == value.shape[1] else value.T",
            _TRANSPOSED,
            "conversion",
        ),
        (
            "q, k, v = jnp.split(self.c_attn(x), 3, axis=-1)",
            "k, q, v = jnp.split(self.c_attn(x), 3, axis=-1)",
            _QKV,
            "y = jax.nn.dot_product_attention(q, k, v, is_causal=True)",
        ),
    ),
    *_all(
        "gpt/gpt_equinox",
        (
            "mask = jnp.tril(jnp.ones((steps, steps), dtype=bool))",
            "mask = jnp.triu(jnp.ones((steps, steps), dtype=bool))",
            _MASK + "|invert",
            "x = x + self.attn(y, y, y, mask=mask)",
        ),
        (
            "return x @ self.wte.weight.T",
            "return x @ jax.lax.stop_gradient(self.wte.weight).T",
            _STOPPED + "|tied",
        ),
        (
            "self.ln_f = eqx.nn.LayerNorm(width, eps=1e-5)",
            "self.ln_f = eqx.nn.LayerNorm(width, eps=1e-6)",
            _EPSILON,
            "x = jax.vmap(self.ln_f)(x)",
        ),
        ("(q_w, k_w, v_w, q_b, k_b, v_b)", "(k_w, q_w, v_w, k_b, q_b, v_b)", _QKV, "conversion"),
        ("approximate=True", "approximate=False", _GELU),
        (
            "return x + jax.vmap(self.c_proj)(y)",
            "return x + 0.5 * jax.vmap(self.c_proj)(y)",
            _SCALE + "|½|0.5",
        ),
    ),
    *_all(
        "gpt/gpt_jax",
        ("jnp.sqrt(q.shape[-1])", "jnp.sqrt(2 * q.shape[-1])", _SCALE),
        ("* -1e10", "* -10", _MASK + "|-10|−10|1e10|1e+10", "return softmax(q @ k.T"),
        ("0.044715 * x**3", "0.44715 * x**3", "0.044715|gelu|constant|factor"),
        ("jnp.sum(exp_x, axis=-1, keepdims=True)", "jnp.sum(exp_x, axis=0, keepdims=True)", _AXIS),
        (
            "variance = jnp.var(x, axis=-1, keepdims=True)",
            "variance = jnp.var(x, axis=-1, keepdims=True, ddof=1)",
            _VARIANCE,
        ),
        ("eps=1e-5", "eps=1e-6", _EPSILON, "jnp.sqrt(variance + eps)"),
        (
            '"wpe": state["wpe.weight"]',
            '"wpe": state["wpe.weight"][::-1]',
            "flip|order|revers",
            "conversion",
        ),
        ("x = x + ffn(", "x = ffn(", _RESIDUAL),
        (
            "return -jnp.mean(picked)",
            "return -jnp.mean(jnp.sum(picked, axis=1))",
            "reduction|mean|sum|factor",
        ),
        ("b2=0.999, eps=1e-6", "b2=0.999, eps=1e-8", _EPSILON),
        ("optax.scale(-1e-3)", "optax.scale(-1e-4)", "rate|lr|factor|1e-3|0.001"),
    ),
    *_all(
        "gpt/gpt_numpy",
        ("dx -= self.norm * (dnorm * self.norm).mean(axis=-1, keepdims=True)", "pass", _TERM),
        ("C * (1.0 + 3 * 0.044715 * x**2)", "C * (1.0 + 0.044715 * x**2)", "3|factor|constant"),
        ("ds = ds * self.scale", "pass", _SCALE),
        ("np.add.at(dwte, ids, dx)", "pass", _TERM + "|tied"),
        (
            'dwte = np.einsum("btv,btc->vc", dlogits, x)',
            "dwte = np.zeros_like(wte)",
            _TERM + "|tied",
        ),
        ("dx = dout + self.ln_2.backward(", "dx = self.ln_2.backward(", _TERM + "|residual"),
        (
            "scores = scores + np.triu(np.full((T, T), -1e10), k=1)",
            "scores = scores + np.triu(np.full((T, T), -1e10), k=2)",
            _MASK + "|off by one|diagonal|k",
        ),
        ("dlogits[:, :-1] = d / n", "dlogits[:, :-1] = d / len(d)", "factor|mean|sum|times|count"),
    ),
]
