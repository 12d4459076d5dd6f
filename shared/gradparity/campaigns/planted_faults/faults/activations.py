"""Faults in activations other than the sigmoid."""

from __future__ import annotations

from .base import LINE, Fault, Patch, activation, chain_rule


def _at_the_kink(value: str) -> Patch:
    return chain_rule(
        "dL/dz",
        f"""
{LINE}
if layer.activation == "relu":
    kink = LAYERS[type(layer)].forward(layer, weight, bias, a) == 0.0
    d_z[kink] = {value} * d_a[kink]
""".strip(),
    )


_MAXIMUM = "lambda z: np.maximum(z, 0.0)"


def _leaky(slope: str) -> str:
    return f"lambda z: np.where(z > 0.0, z, {slope} * z)"


def _step(left: str, condition: str = "a > 0.0") -> str:
    return f"lambda a: np.where({condition}, a.dtype.type(1.0), a.dtype.type({left}))"


ACTIVATIONS: tuple[Fault, ...] = (
    Fault("ReLU'(0) = 1", (_at_the_kink("1.0"),), "ReLU' is 1 at the kink"),
    Fault("ReLU'(0) = ½", (_at_the_kink("0.5"),), "ReLU' is ½ at the kink"),
    Fault("ReLU' by a ≥ 0", (activation("ReLU'", _step("0.0", "a >= 0.0")),), "ReLU' is missing"),
    Fault(
        "ReLU' of the wrong side",
        (activation("ReLU'", _step("0.0", "a <= 0.0")),),
        "ReLU' of the wrong side of the kink",
    ),
    Fault("ReLU' of z times a", (activation("ReLU'", "lambda a: a"),), "a in place of ReLU'"),
    Fault(
        "leaky ReLU'(0) = 1",
        (activation("leaky ReLU'", _step("LEAK", "a >= 0.0")),),
        "leaky ReLU' is 1 at the kink",
    ),
    Fault(
        "leaky ReLU' without its leak",
        (activation("leaky ReLU'", _step("0.0")),),
        "ReLU' in place of leaky ReLU'",
    ),
    Fault(
        "leaky ReLU' of slope 0.1",
        (activation("leaky ReLU'", _step("0.1")),),
        "leaky ReLU' of slope 0.1",
    ),
    Fault(
        "leaky ReLU of slope 0.1",
        (activation("leaky ReLU", _leaky("0.1")),),
        "leaky ReLU of slope 0.1 in place of leaky ReLU, its derivative kept",
    ),
    Fault(
        "leaky ReLU of slope 0.1 throughout",
        (activation("leaky ReLU", _leaky("0.1")), activation("leaky ReLU'", _step("0.1"))),
        "leaky ReLU of slope 0.1 in place of leaky ReLU",
    ),
    Fault(
        "leaky ReLU for ReLU",
        (activation("ReLU", _leaky("LEAK")), activation("ReLU'", _step("LEAK"))),
        "leaky ReLU in place of ReLU",
    ),
    Fault(
        "ReLU for leaky ReLU",
        (activation("leaky ReLU", _MAXIMUM), activation("leaky ReLU'", _step("0.0"))),
        "ReLU in place of leaky ReLU",
    ),
    Fault(
        "tanh' without the square",
        (activation("tanh'", "lambda a: 1.0 - a"),),
        "tanh' is 1 - a, without the square",
    ),
    Fault(
        "σ' for tanh'", (activation("tanh'", "lambda a: a * (1.0 - a)"),), "σ' in place of tanh'"
    ),
    Fault("tanh' missing", (activation("tanh'", "np.ones_like"),), "tanh' is missing"),
    Fault(
        "tanh' by itself",
        (activation("tanh'", "lambda a: 1.0 - np.tanh(a) ** 2"),),
        "tanh'(z) is given a for z",
    ),
    Fault(
        "tanh' of the wrong sign",
        (activation("tanh'", "lambda a: a**2 - 1.0"),),
        "tanh' has the wrong sign",
    ),
    Fault(
        "σ for tanh",
        (activation("tanh", "sigmoid"), activation("tanh'", "lambda a: a * (1.0 - a)")),
        "the sigmoid in place of tanh",
    ),
    Fault(
        "identity' is that of σ",
        (activation("identity'", "lambda a: a * (1.0 - a)"),),
        "σ' in place of 1, the derivative of no activation",
    ),
)
