"""PaLM of palm-pytorch 0.2.2 against palm-jax 0.1.2 (equinox): the one turns halves, the other neighbours.

The conversion puts the columns of queries and keys in the order that the other rotary embedding wants.
"""

import jax
import jax.numpy as jnp
import numpy as np
from palm_jax.palm import PaLM as JaxPaLM
from palm_jax.palm import fixed_pos_embedding
from palm_lite import filled
from palm_pytorch import PaLM

SIZES = {"num_tokens": 30, "dim": 16, "depth": 2, "dim_head": 8, "heads": 2}


def inputs(rng):
    return {"x": rng.integers(0, 30, (7,))}


def original():
    net = PaLM(**SIZES)
    # PyTorch's model takes a batch, JAX's one sequence.
    net.register_forward_pre_hook(lambda _, given: (given[0][None],))
    return net


def port(original):
    made = JaxPaLM(**SIZES, key=jax.random.key(0))
    w = {name: jnp.asarray(tensor.numpy()) for name, tensor in original.state_dict().items()}
    heads, of_head = SIZES["heads"], SIZES["dim_head"]
    turned = np.arange(of_head).reshape(2, -1).T.ravel()  # 0, 4, 1, 5, ...
    rows = np.concatenate([of_head * n + turned for n in range(heads + 1)])  # queries and keys
    params = {
        "embedding": w["0.weight"],
        "norm": w["3.gamma"],
        "layers": [
            {
                "norm": w[f"{at}.fn.norm.gamma"],
                "wi": w[f"{at}.fn.fused_attn_ff_proj.weight"]
                .at[: len(rows)]
                .set(w[f"{at}.fn.fused_attn_ff_proj.weight"][rows])
                .T,
                "attn_wo": w[f"{at}.fn.attn_out.weight"].T,
                "ff_wo": w[f"{at}.fn.ff_out.1.weight"].T,
            }
            for at in (1, 2)
        ],
    }

    def apply(params, x):
        at = params["embedding"][x]
        angles, mask = fixed_pos_embedding(made.inv_freq, len(x)), jnp.tril(jnp.ones((len(x),) * 2))
        for block, own in zip(made.layers, params["layers"], strict=True):
            at = filled(block, own)(at, pos_emb=angles, causal_mask=mask) + at
        return filled(made.norm, {"gamma": params["norm"]})(at) @ params["embedding"].T

    return apply, params
