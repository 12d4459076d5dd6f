"""Pairs that are right and look wrong to a naive test, and a mistake of a millionth beside a float32 island."""

from ..mistakes import Mistake

ISLANDS = {
    "island_in_the_port": {"port"},
    "island_in_both": {"original", "port"},
    "island_in_the_original": {"original"},
    "island_of_a_table": {"original"},
    "gpt_nnx": {"port"},
}
"""Pairs with a part in float32, and the sides that have one."""

_RIGHT = 'w, b = params["down"]\n    return x @ w + b'
_WRONG = 'w, b = params["down"]\n    return x @ w * (1 + 1e-6) + b'
_TABLE = '@ params["w"] + params["b"], 2'

BESIDE_ISLANDS = [
    *(
        Mistake(f"harmless/{pair}", _RIGHT, _WRONG, frozenset({"factor"}))
        for pair in ISLANDS
        if pair not in {"island_of_a_table", "gpt_nnx"}
    ),
    Mistake(
        "harmless/island_of_a_table",
        _TABLE,
        '@ params["w"] * (1 + 1e-6) + params["b"], 2',
        frozenset({"factor"}),
    ),
]
"""Each of these pairs is wrong, by a millionth."""
