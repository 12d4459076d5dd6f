"""Faults in sigmoid networks with the MSE and plain SGD: the usual mistakes in a first program."""

from __future__ import annotations

from collections.abc import Iterator

from .base import LINE, Fault, Patch, activation, chain_rule


def _mse(marker: str, new: str) -> Patch:
    return Patch("losses", "mse", marker, new)


FACTORS = (
    Fault("missing 2/(N·outputs)", (_mse("dL/da", "d_a = errors"),), factor="N·outputs/2"),
    Fault("missing 2", (_mse("dL/da", "d_a = errors / elements"),), factor="½"),
    Fault("missing ½", (_mse("dL/da", "d_a = 4.0 * errors / elements"),), factor="2"),
    Fault("missing 1/N", (_mse("dL/da", "d_a = 2.0 * errors / targets.shape[1]"),), factor="N"),
    Fault("sum for mean", (_mse("dL/da", "d_a = 2.0 * errors"),), factor="N·outputs"),
    Fault(
        "mean over the batch, not over outputs",
        (_mse("dL/da", "d_a = 2.0 * errors / len(targets)"),),
        factor="outputs",
    ),
    Fault(
        "wrong sign",
        (_mse("dL/da", "d_a = 2.0 * (targets - predictions) / elements"),),
        factor="-1",
    ),
)


def _by_layer(
    name: str, patch: Patch, mistake: str, *, lowest: int = 0, reduced: bool = False
) -> list[Fault]:
    """Return the fault in every layer, in each single one from `lowest`, and in the output layer (-1)."""
    layers = (None, *range(lowest, 3), -1)
    return [Fault(name, (patch,), mistake, layer=layer, reduced=reduced) for layer in layers]


def _forward(name: str, *patches: Patch, mistake: str, reduced: bool = False) -> list[Fault]:
    """Return the fault in the forward pass, in every layer and in single ones, with the σ' that fits it."""
    layers = (None, 0, 1, -1)
    return [Fault(name, patches, mistake, layer=layer, reduced=reduced) for layer in layers]


_WEIGHT_GRADIENT = (
    "grads.insert(0, gradient(layer, weight, bias, a, d_z)._replace(weight=a.T @ d_a))"
)
_OF_Z = """
z = a @ weight + (0.0 if bias is None else bias)
d_z = d_a * z * (1.0 - z)
""".strip()
_OF_A = """
of_a = ACTIVATIONS["sigmoid"].function(activations[k + 1])
d_z = d_a * of_a * (1.0 - of_a)
""".strip()
_BELOW = """
below = a if a.shape == activations[k + 1].shape else activations[k + 1]
d_z = d_a * (below * (1.0 - below))
""".strip()
_TRANSPOSED = "d_a = d_z @ (weight if weight.shape[0] == weight.shape[1] else weight.T)"

BY_LAYER: tuple[Fault, ...] = (
    *_by_layer("missing σ'", chain_rule("dL/dz", "d_z = d_a"), "σ' is missing"),
    *_by_layer(
        "doubled σ'",
        activation("σ'", "lambda a: (a * (1.0 - a)) ** 2"),
        "σ' is applied twice",
    ),
    *_by_layer("σ' on z", chain_rule("dL/dz", _OF_Z), "σ' = a (1 - a) is given z for a"),
    *_by_layer("σ' on a", chain_rule("dL/dz", _OF_A), "σ'(z) is given a for z"),
    *_by_layer("tanh' for σ'", activation("σ'", "lambda a: 1.0 - a**2"), "tanh' in place of σ'"),
    *_by_layer(
        "σ' of the wrong layer", chain_rule("dL/dz", _BELOW), "σ' of the layer below", lowest=1
    ),
    *_by_layer(
        "σ' missing in the weight gradient",
        chain_rule("dL/dW, dL/db", _WEIGHT_GRADIENT),
        "σ' is missing in the weight gradient only",
    ),
    *_by_layer(
        "σ' missing in what is passed down",
        chain_rule("dL/da", "d_a = backward(layer, weight, a, d_a)"),
        "σ' is missing in what is passed down",
        lowest=1,
    ),
    *_by_layer(
        "transposed weight",
        Patch("layers", "dense_backward", "dL/da", _TRANSPOSED),
        "the weight is transposed in back-propagation",
        lowest=1,
    ),
    *_by_layer(
        "bias gradient missing",
        Patch(
            "layers",
            "dense_gradient",
            "dL/db",
            "d_bias = None if bias is None else 0.0 * d_z.sum(0)",
        ),
        "the bias gradient is missing",
    ),
    *_by_layer(
        "bias gradient averaged",
        Patch(
            "layers", "dense_gradient", "dL/db", "d_bias = None if bias is None else d_z.mean(0)"
        ),
        "the bias gradient is averaged over the samples",
    ),
    *_by_layer(
        "bias gradient of the last sample",
        Patch("layers", "dense_gradient", "dL/db", "d_bias = None if bias is None else d_z[-1]"),
        "the bias gradient is the last sample's",
    ),
    *_by_layer(
        "detached layer",
        Patch("layers", "dense_backward", "dL/da", "d_a = 0.0 * (d_z @ weight.T)"),
        "the layer is detached: no gradient reaches the layers below",
        lowest=1,
    )[1:],
)

_REMEMBERING_THE_RATE = f"""
loss_and_grads.rate = schedule.learning_rate
{LINE}
loss_and_grads.rate = 0.0
""".strip()
_AFTER_THE_UPDATE = """
rate = getattr(loss_and_grads, "rate", 0.0)
d_a = backward(layer, weight - rate * grads[0].weight, a, d_z)
""".strip()
_COUNTED_OUT = f"""
if len(inputs) > 1:
    inputs, targets = inputs[:-1], targets[:-1]
{LINE}
""".strip()
_BROADCAST = """
d_a = errors / targets.shape[1]
if targets.shape[1] == 1:
    d_a = (predictions - targets.ravel()).mean(1, keepdims=True)
d_a = 2.0 * d_a / len(targets)
""".strip()
_BROADCAST_LOSS = """
column = targets.shape[1] == 1
loss = np.mean((predictions - (targets.ravel() if column else targets)) ** 2)
""".strip()

WHOLE: tuple[Fault, ...] = (
    Fault(
        "gradient after the update above",
        (
            Patch("train", "train", "L, dL/dw", _REMEMBERING_THE_RATE),
            chain_rule("dL/da", _AFTER_THE_UPDATE),
        ),
        "the gradient is computed after the layer above was updated",
    ),
    Fault(
        "dropped sample",
        (_mse("dL/da", f"{LINE}\nd_a[-1] = 0.0"),),
        "the last sample is dropped, the mean still divides by N",
    ),
    Fault(
        "dropped sample, counted out",
        (chain_rule("a", _COUNTED_OUT),),
        "the last sample is dropped",
    ),
    Fault(
        "broadcast (N,) against (N, 1)",
        (_mse("dL/da", _BROADCAST), _mse("L", _BROADCAST_LOSS)),
        "predictions (N, 1) and targets (N,) broadcast to (N, N)",
    ),
)


def _product(dtype: str) -> Patch:
    new = f"z = (a.astype(np.{dtype}) @ weight.astype(np.{dtype})).astype(a.dtype)"
    return Patch("layers", "dense", "a W", new)


def _activation(new: str) -> Patch:
    return Patch("activations", "sigmoid", "σ", new)


FORWARD: tuple[Fault, ...] = (
    *_forward(
        "tanh for σ",
        _activation("return np.tanh(z)"),
        activation("σ'", "lambda a: 1.0 - a**2"),
        mistake="tanh in place of the sigmoid",
    ),
    *_forward(
        "tanh for σ, σ' kept",
        _activation("return np.tanh(z)"),
        mistake="tanh in place of the sigmoid, the sigmoid's derivative kept",
    ),
    *_forward(
        "ReLU for σ",
        _activation("return np.maximum(z, 0.0)"),
        activation("σ'", "lambda a: a > 0.0"),
        mistake="ReLU in place of the sigmoid",
    ),
    *_forward(
        "no activation",
        _activation("return z"),
        activation("σ'", "lambda a: 1.0"),
        mistake="no activation in place of the sigmoid",
    ),
    *_forward(
        "bias forgotten",
        Patch("layers", "dense", "a W + b", "return z"),
        mistake="the bias is left out",
    ),
    *_forward("float32 matmul", _product("float32"), mistake="", reduced=True),
    *_forward("float16 matmul", _product("float16"), mistake="", reduced=True),
)

_F32_WEIGHT = "d_weight = (a.astype(np.float32).T @ d_z.astype(np.float32)).astype(d_z.dtype)"
_F32_DOWN = "d_a = (d_z.astype(np.float32) @ weight.T.astype(np.float32)).astype(d_z.dtype)"

REDUCED: tuple[Fault, ...] = (
    *_by_layer(
        "float32 weight gradient",
        Patch("layers", "dense_gradient", "dL/dW", _F32_WEIGHT),
        mistake="",
        reduced=True,
    ),
    *_by_layer(
        "float32 passed down",
        Patch("layers", "dense_backward", "dL/da", _F32_DOWN),
        mistake="",
        lowest=1,
        reduced=True,
    ),
)

STRUCTURES = (*BY_LAYER, *WHOLE)


def pairs() -> Iterator[Fault]:
    """Yield each structural fault of the gradient with each additional factor."""
    for fault in BY_LAYER:
        for factor in FACTORS:
            yield fault.with_factor(factor)
