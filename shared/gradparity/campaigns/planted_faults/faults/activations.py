"""Faults in activations other than the homework's, the sigmoid."""

from __future__ import annotations

from .base import Fault, Patch, gradient

_D_Z = "d_z = d_a * DERIVATIVES[layer.activation](a_out)"
_ROWS_Z = "(rows @ matrix(layer, weight) + (0.0 if bias is None else bias)).reshape(a_out.shape)"

_RELU = '"relu": lambda z: np.maximum(z, 0.0)'
_LEAKY = '"leaky_relu": lambda z: np.where(z > 0.0, z, LEAK * z)'
_RELU_PRIME = '"relu": lambda a: np.where(a > 0.0, a.dtype.type(1.0), a.dtype.type(0.0))'
_LEAKY_PRIME = '"leaky_relu": lambda a: np.where(a > 0.0, a.dtype.type(1.0), a.dtype.type(LEAK))'
_TANH_PRIME = '"tanh": lambda a: 1.0 - a**2'


def _at_the_kink(value: str) -> Patch:
    at = f"(layer.activation == 'relu') & ({_ROWS_Z} == 0.0)"
    return gradient(_D_Z, f"{_D_Z}\n        d_z = np.where({at}, {value} * d_a, d_z)")


ACTIVATIONS: tuple[Fault, ...] = (
    Fault("ReLU'(0) = 1", (_at_the_kink("1.0"),), "ReLU' is 1 at the kink"),
    Fault("ReLU'(0) = ½", (_at_the_kink("0.5"),), "ReLU' is ½ at the kink"),
    Fault("ReLU' by a ≥ 0", (gradient(_RELU_PRIME, _RELU_PRIME.replace(">", ">=")),), "ReLU' is missing"),
    Fault("ReLU' of the wrong side", (gradient(_RELU_PRIME, _RELU_PRIME.replace("a > 0.0", "a <= 0.0")),), "ReLU' of the wrong side of the kink"),
    Fault("ReLU' of z times a", (gradient(_RELU_PRIME, '"relu": lambda a: a'),), "a in place of ReLU'"),
    Fault("leaky ReLU'(0) = 1", (gradient(_LEAKY_PRIME, _LEAKY_PRIME.replace(">", ">=")),), "leaky ReLU' is 1 at the kink"),
    Fault("leaky ReLU' without its leak", (gradient(_LEAKY_PRIME, _LEAKY_PRIME.replace("LEAK", "0.0")),), "ReLU' in place of leaky ReLU'"),
    Fault("leaky ReLU' of slope 0.1", (gradient(_LEAKY_PRIME, _LEAKY_PRIME.replace("LEAK", "0.1")),), "leaky ReLU' of slope 0.1"),
    Fault("leaky ReLU of slope 0.1", (Patch("model", _LEAKY, _LEAKY.replace("LEAK", "0.1")),), "leaky ReLU of slope 0.1 in place of leaky ReLU, its derivative kept"),
    Fault(
        "leaky ReLU of slope 0.1 throughout",
        (Patch("model", _LEAKY, _LEAKY.replace("LEAK", "0.1")), gradient(_LEAKY_PRIME, _LEAKY_PRIME.replace("LEAK", "0.1"))),
        "leaky ReLU of slope 0.1 in place of leaky ReLU",
    ),
    Fault(
        "leaky ReLU for ReLU",
        (Patch("model", _RELU, '"relu": lambda z: np.where(z > 0.0, z, LEAK * z)'), gradient(_RELU_PRIME, _RELU_PRIME.replace("type(0.0)", "type(LEAK)"))),
        "leaky ReLU in place of ReLU",
    ),
    Fault(
        "ReLU for leaky ReLU",
        (Patch("model", _LEAKY, '"leaky_relu": lambda z: np.maximum(z, 0.0)'), gradient(_LEAKY_PRIME, _LEAKY_PRIME.replace("LEAK", "0.0"))),
        "ReLU in place of leaky ReLU",
    ),
    Fault("tanh' without the square", (gradient(_TANH_PRIME, '"tanh": lambda a: 1.0 - a'),), "tanh' is 1 - a, without the square"),
    Fault("σ' for tanh'", (gradient(_TANH_PRIME, '"tanh": lambda a: a * (1.0 - a)'),), "σ' in place of tanh'"),
    Fault("tanh' missing", (gradient(_TANH_PRIME, '"tanh": np.ones_like'),), "tanh' is missing"),
    Fault("tanh' by itself", (gradient(_TANH_PRIME, '"tanh": lambda a: 1.0 - np.tanh(a) ** 2'),), "tanh'(z) is given a for z"),
    Fault("tanh' of the wrong sign", (gradient(_TANH_PRIME, '"tanh": lambda a: a**2 - 1.0'),), "tanh' has the wrong sign"),
    Fault(
        "σ for tanh",
        (Patch("model", '"tanh": np.tanh', '"tanh": sigmoid'), gradient(_TANH_PRIME, '"tanh": lambda a: a * (1.0 - a)')),
        "the sigmoid in place of tanh",
    ),
    Fault("identity' is that of σ", (gradient('"identity": np.ones_like', '"identity": lambda a: a * (1.0 - a)'),), "σ' in place of 1, the derivative of no activation"),
)  # fmt: skip
