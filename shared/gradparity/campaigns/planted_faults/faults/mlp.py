"""Faults in a network of sigmoids with the MSE and plain SGD: what homework gets wrong.

`_here` in a new line stands for the condition that this is the layer to make it in.
"""

from __future__ import annotations

from collections.abc import Iterator

from .base import Fault, Patch, gradient

_ACTIVATIONS = "activations = forward(network, params, inputs)"
_D_A = "d_a = LOSS_GRADIENTS[network.loss](predictions, targets)"
_D_Z = "d_z = d_a * DERIVATIVES[layer.activation](a_out)"
_WEIGHT = "weight_grad = (rows.mT @ d_z).reshape(weight.shape)"
_BIAS = "bias_grad = None if bias is None else d_z.sum(-2)"
_DOWN = "d_a = fold(layer, d_z @ matrix(layer, weight).mT, shape)"
_LOSS = "return np.mean((predictions - targets) ** 2, axis=(-2, -1))"
_Z = "z = unfold(layer, shape_in, a) @ matrix(layer, weight)"
_Z_BIAS = "z = z + bias[..., None, :]"
_A = "a = ACTIVATIONS[layer.activation](z).reshape(*z.shape[:-2], -1, *shape_out)"
_CALL = "loss, grads = loss_and_grads(network, params, inputs[batch], targets[batch])"

FACTORS = (
    Fault("missing 2/(N·outputs)", (gradient(_D_A, "d_a = predictions - targets"),), factor="N·outputs/2"),
    Fault("missing 2", (gradient(_D_A, "d_a = (predictions - targets) / predictions.size"),), factor="½"),
    Fault("missing ½", (gradient(_D_A, "d_a = 4.0 * (predictions - targets) / predictions.size"),), factor="2"),
    Fault("missing 1/N", (gradient(_D_A, "d_a = 2.0 * (predictions - targets) / targets.shape[1]"),), factor="N"),
    Fault("sum for mean", (gradient(_D_A, "d_a = 2.0 * (predictions - targets)"),), factor="N·outputs"),
    Fault("mean over the batch, not over outputs", (gradient(_D_A, "d_a = 2.0 * (predictions - targets) / len(targets)"),), factor="outputs"),
    Fault("wrong sign", (gradient(_D_A, "d_a = 2.0 * (targets - predictions) / predictions.size"),), factor="-1"),
)  # fmt: skip

_IF = "{new} if {here} else {right}"


def _by_layer(
    name: str, old: str, new: str, mistake: str, *, lowest: int = 0, highest: int = 2
) -> list[Fault]:
    """The fault in every layer, in each single one, and in the output layer (-1)."""
    target, _, right = old.partition(" = ")
    everywhere = Fault(name, (gradient(old, f"{target} = {new}"),), mistake)
    single = [
        Fault(
            name,
            (
                gradient(
                    old, f"{target} = ({new}) if {_here('weight', k, '.weight')} else ({right})"
                ),
            ),
            mistake,
            layer=k,
        )
        for k in (*range(lowest, highest + 1), -1)
    ]
    return [everywhere, *single]


def _here(variable: str, layer: int, field: str = "") -> str:
    return f"any({variable} is p{field} for p in params[{layer}:][:1])"


def _forward(
    name: str, old: str, new: str, mistake: str, *, reduced: bool = False, backward: str = ""
) -> list[Fault]:
    """The fault in the forward pass, in every layer and in single ones; `backward` replaces σ' to match."""
    target, _, right = old.partition(" = ")
    faults = []
    for layer in (None, 0, 1, -1):
        here = "True" if layer is None else _here("weight", layer, ".weight")
        patches = [Patch("model", old, f"{target} = ({new}) if {here} else ({right})")]
        if backward:
            patches.append(
                gradient(_D_Z, f"d_z = d_a * ({backward} if {here} else a_out * (1.0 - a_out))")
            )
        faults.append(Fault(name, tuple(patches), mistake, layer=layer, reduced=reduced))
    return faults


_ZS = "(a_in @ weight + (0.0 if bias is None else bias))"
_SIG = "1.0 / (1.0 + np.exp(-{}))"

BY_LAYER: tuple[Fault, ...] = (
    *_by_layer("missing σ'", _D_Z, "d_a", "σ' is missing"),
    *_by_layer("doubled σ'", _D_Z, "d_a * (a_out * (1.0 - a_out)) ** 2", "σ' is applied twice"),
    *_by_layer("σ' on z", _D_Z, f"d_a * {_ZS} * (1.0 - {_ZS})", "σ' = a (1 - a) is given z for a"),
    *_by_layer("σ' on a", _D_Z, f"d_a * {_SIG.format('a_out')} * (1.0 - {_SIG.format('a_out')})", "σ'(z) is given a for z"),
    *_by_layer("tanh' for σ'", _D_Z, "d_a * (1.0 - a_out**2)", "tanh' in place of σ'"),
    *_by_layer("σ' of the wrong layer", _D_Z, "d_a * (a_in * (1.0 - a_in) if a_in.shape == a_out.shape else a_out * (1.0 - a_out))", "σ' of the layer below", lowest=1),
    *_by_layer("σ' missing in the weight gradient", _WEIGHT, "a_in.T @ d_a", "σ' is missing in the weight gradient only"),
    *_by_layer("σ' missing in what is passed down", _DOWN, "d_a @ weight.T", "σ' is missing in what is passed down", lowest=1),
    *_by_layer("transposed weight", _DOWN, "d_z @ (weight if weight.shape[0] == weight.shape[1] else weight.T)", "the weight is transposed in back-propagation", lowest=1),
    *_by_layer("bias gradient missing", _BIAS, "None if bias is None else 0.0 * d_z.sum(0)", "the bias gradient is missing"),
    *_by_layer("bias gradient averaged", _BIAS, "None if bias is None else d_z.mean(0)", "the bias gradient is averaged over the samples"),
    *_by_layer("bias gradient of the last sample", _BIAS, "None if bias is None else d_z[-1]", "the bias gradient is the last sample's"),
    *_by_layer("detached layer", _DOWN, "0.0 * (d_z @ weight.T)", "the layer is detached: no gradient reaches the layers below", lowest=1)[1:],
)  # fmt: skip

_RATE = (
    Patch("gradients", "from .model import Rows, forward, matrix, sigmoid, unfold", "from .model import Rows, forward, matrix, sigmoid, unfold\n\nrate = 0.0"),
    Patch("train", _CALL, f"from . import gradients\n\n        gradients.rate = schedule.learning_rate\n        {_CALL}\n        gradients.rate = 0.0"),
)  # fmt: skip

WHOLE: tuple[Fault, ...] = (
    Fault(
        "gradient after the update above",
        (*_RATE, gradient(_DOWN, "d_a = d_z @ (weight - rate * weight_grad).T")),
        "the gradient is computed after the layer above was updated",
    ),
    Fault(
        "dropped sample",
        (gradient(_D_A, _D_A + "; d_a[-1] = 0.0"),),
        "the last sample is dropped, the mean still divides by N",
    ),
    Fault(
        "dropped sample, counted out",
        (gradient(_ACTIVATIONS, "if len(inputs) > 1:\n        inputs, targets = inputs[:-1], targets[:-1]\n    " + _ACTIVATIONS),),
        "the last sample is dropped",
    ),
    Fault(
        "broadcast (N,) against (N, 1)",
        (
            gradient(_D_A, "d_a = 2.0 * ((predictions - targets.ravel()).mean(1, keepdims=True) if targets.shape[1] == 1 else (predictions - targets) / targets.shape[1]) / len(targets)"),
            gradient(_LOSS, "return np.mean((predictions - (targets.ravel() if targets.shape[1] == 1 else targets)) ** 2)"),
        ),
        "predictions (N, 1) and targets (N,) broadcast to (N, N)",
    ),
)  # fmt: skip

_F32 = "(a.astype(np.float32) @ weight.astype(np.float32)).astype(a.dtype)"

FORWARD: tuple[Fault, ...] = (
    *_forward("tanh for σ", _A, "np.tanh(z)", "tanh in place of the sigmoid", backward="(1.0 - a_out**2)"),
    *_forward("tanh for σ, σ' kept", _A, "np.tanh(z)", "tanh in place of the sigmoid, the sigmoid's derivative kept"),
    *_forward("ReLU for σ", _A, "np.maximum(z, 0.0)", "ReLU in place of the sigmoid", backward="(a_out > 0.0)"),
    *_forward("no activation", _A, "z", "no activation in place of the sigmoid", backward="1.0"),
    *_forward("bias forgotten", _Z_BIAS, "z", "the bias is left out"),
    *_forward("float32 matmul", _Z, _F32, "", reduced=True),
    *_forward("float16 matmul", _Z, _F32.replace("float32", "float16"), "", reduced=True),
)  # fmt: skip

REDUCED: tuple[Fault, ...] = (
    *(
        Fault(fault.name, fault.patches, layer=fault.layer, reduced=True)
        for fault in (
            *_by_layer("float32 weight gradient", _WEIGHT, "(a_in.astype(np.float32).T @ d_z.astype(np.float32)).astype(d_z.dtype)", ""),
            *_by_layer("float32 passed down", _DOWN, "(d_z.astype(np.float32) @ weight.T.astype(np.float32)).astype(d_z.dtype)", "", lowest=1),
        )
    ),
)  # fmt: skip

STRUCTURES = (*BY_LAYER, *WHOLE)


def pairs() -> Iterator[Fault]:
    """Each structural fault of the gradient with each factor on top."""
    for fault in BY_LAYER:
        for factor in FACTORS:
            yield fault.with_factor(factor)
