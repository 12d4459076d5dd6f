"""The GPT in plain JAX, with its parameters in flat dictionaries, as picoGPT has them."""

import jax
import jax.numpy as jnp
import optax
import torch
from gpt import batch as inputs
from gpt import gpt as original
from gpt import next_token_loss as original_loss


def gelu(x):
    return 0.5 * x * (1 + jnp.tanh(jnp.sqrt(2 / jnp.pi) * (x + 0.044715 * x**3)))


def softmax(x):
    exp_x = jnp.exp(x - jnp.max(x, axis=-1, keepdims=True))
    return exp_x / jnp.sum(exp_x, axis=-1, keepdims=True)


def layer_norm(x, g, b, eps=1e-5):
    mean = jnp.mean(x, axis=-1, keepdims=True)
    variance = jnp.var(x, axis=-1, keepdims=True)
    return g * (x - mean) / jnp.sqrt(variance + eps) + b


def linear(x, w, b):
    return x @ w + b


def attention(q, k, v, mask):
    return softmax(q @ k.T / jnp.sqrt(q.shape[-1]) + mask) @ v


def mha(x, c_attn, c_proj, n_head):
    x = linear(x, **c_attn)
    q, k, v = jnp.split(x, 3, axis=-1)
    heads = [jnp.split(part, n_head, axis=-1) for part in (q, k, v)]
    causal_mask = (1 - jnp.tri(x.shape[0], dtype=x.dtype)) * -1e10
    out_heads = [attention(q, k, v, causal_mask) for q, k, v in zip(*heads)]
    return linear(jnp.hstack(out_heads), **c_proj)


def ffn(x, c_fc, c_proj):
    return linear(gelu(linear(x, **c_fc)), **c_proj)


def transformer_block(x, mlp, attn, ln_1, ln_2, n_head):
    x = x + mha(layer_norm(x, **ln_1), **attn, n_head=n_head)
    x = x + ffn(layer_norm(x, **ln_2), **mlp)
    return x


def gpt2(params, ids, n_head=2):
    x = params["wte"][ids] + params["wpe"][jnp.arange(len(ids))]
    for block in params["blocks"]:
        x = transformer_block(x, **block, n_head=n_head)
    return layer_norm(x, **params["ln_f"]) @ params["wte"].T


def forward(params, ids):
    return jax.vmap(gpt2, in_axes=(None, 0))(params, ids)


def port(original):
    state = {name: jnp.asarray(value.numpy()) for name, value in original.state_dict().items()}

    def affine(name):
        return {"w": state[f"{name}.weight"].T, "b": state[f"{name}.bias"]}

    def norm(name):
        return {"g": state[f"{name}.weight"], "b": state[f"{name}.bias"]}

    blocks = [
        {
            "mlp": {"c_fc": affine(f"h.{i}.c_fc"), "c_proj": affine(f"h.{i}.c_proj")},
            "attn": {
                "c_attn": affine(f"h.{i}.attn.c_attn"),
                "c_proj": affine(f"h.{i}.attn.c_proj"),
            },
            "ln_1": norm(f"h.{i}.ln_1"),
            "ln_2": norm(f"h.{i}.ln_2"),
        }
        for i in range(2)
    ]
    params = {
        "wte": state["wte.weight"],
        "wpe": state["wpe.weight"],
        "blocks": blocks,
        "ln_f": norm("ln_f"),
    }
    return forward, params


def port_loss(logits, batch):
    ids = batch["ids"]
    log_probs = jax.nn.log_softmax(logits[:, :-1], axis=-1)
    picked = jnp.take_along_axis(log_probs, ids[:, 1:, None], axis=-1)
    return -jnp.mean(picked)


def optimizers():
    port = optax.chain(optax.scale_by_adam(b1=0.9, b2=0.999, eps=1e-6), optax.scale(-1e-3))
    return lambda parameters: torch.optim.Adam(parameters, lr=1e-3, eps=1e-6), port
