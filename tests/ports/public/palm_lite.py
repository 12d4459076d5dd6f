"""PaLM (lite) of palm-pytorch 0.2.2 against palm-jax 0.1.2 (equinox): RMSNorm, ALiBi, shared keys and values."""

import jax
import jax.numpy as jnp
from palm_jax.palm_lite import PaLM as JaxPaLM
from palm_pytorch.palm_lite import PaLM

SIZES = {"num_tokens": 30, "dim": 16, "depth": 2, "dim_head": 8, "heads": 2}


def inputs(rng):
    return {"x": rng.integers(0, 30, (7,))}


def original():
    net = PaLM(**SIZES)
    # PyTorch's model takes a batch, JAX's one sequence.
    net.register_forward_pre_hook(lambda _, given: (given[0][None],))
    return net


def port(original):
    made = JaxPaLM(**SIZES, key=jax.random.key(0), max_seq_len=16)
    bias = made.attn_bias
    w = {name: jnp.asarray(tensor.numpy()) for name, tensor in original.state_dict().items()}
    params = {
        "embedding": w["0.weight"],
        "norm": w["3.g"],
        "layers": [
            {
                "norm": w[f"{at}.fn.norm.g"],
                "wi": w[f"{at}.fn.fused_attn_ff_proj.weight"].T,
                "attn_wo": w[f"{at}.fn.attn_out.weight"].T,
                "ff_wo": w[f"{at}.fn.ff_out.1.weight"].T,
            }
            for at in (1, 2)
        ],
    }

    def apply(params, x):
        at = params["embedding"][x]
        for block, own in zip(made.layers, params["layers"], strict=True):
            at = filled(block, own)(at, attn_bias=bias[..., : len(x), : len(x)]) + at
        return filled(made.norm, {"gamma": params["norm"]})(at) @ params["embedding"].T

    return apply, params


def filled(module, own):
    """Return a copy of a module with other arrays."""
    copy = object.__new__(type(module))
    for name, value in vars(module).items():
        object.__setattr__(copy, name, value)
    for name, value in own.items():
        inside = name == "norm"
        value = filled(module.norm, {"gamma": value}) if inside else value
        object.__setattr__(copy, name, value)
    return copy
