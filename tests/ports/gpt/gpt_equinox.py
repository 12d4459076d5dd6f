"""The GPT in Equinox, with eqx.nn.MultiheadAttention."""

import equinox as eqx
import jax
import jax.numpy as jnp
from gpt import batch as inputs
from gpt import gpt as original


class Block(eqx.Module):
    ln_1: eqx.nn.LayerNorm
    attn: eqx.nn.MultiheadAttention
    ln_2: eqx.nn.LayerNorm
    c_fc: eqx.nn.Linear
    c_proj: eqx.nn.Linear

    def __init__(self, width, heads, key):
        k1, k2, k3 = jax.random.split(key, 3)
        self.ln_1 = eqx.nn.LayerNorm(width, eps=1e-5)
        self.attn = eqx.nn.MultiheadAttention(
            heads,
            width,
            use_query_bias=True,
            use_key_bias=True,
            use_value_bias=True,
            use_output_bias=True,
            key=k1,
        )
        self.ln_2 = eqx.nn.LayerNorm(width, eps=1e-5)
        self.c_fc = eqx.nn.Linear(width, 4 * width, key=k2)
        self.c_proj = eqx.nn.Linear(4 * width, width, key=k3)

    def __call__(self, x):
        steps = x.shape[0]
        mask = jnp.tril(jnp.ones((steps, steps), dtype=bool))
        y = jax.vmap(self.ln_1)(x)
        x = x + self.attn(y, y, y, mask=mask)
        y = jax.vmap(self.ln_2)(x)
        y = jax.nn.gelu(jax.vmap(self.c_fc)(y), approximate=True)
        return x + jax.vmap(self.c_proj)(y)


class GPT(eqx.Module):
    wte: eqx.nn.Embedding
    wpe: eqx.nn.Embedding
    h: list[Block]
    ln_f: eqx.nn.LayerNorm

    def __init__(self, vocabulary, context, width, heads, layers, key):
        k1, k2, *keys = jax.random.split(key, 2 + layers)
        self.wte = eqx.nn.Embedding(vocabulary, width, key=k1)
        self.wpe = eqx.nn.Embedding(context, width, key=k2)
        self.h = [Block(width, heads, k) for k in keys]
        self.ln_f = eqx.nn.LayerNorm(width, eps=1e-5)

    def single(self, ids):
        positions = jnp.arange(ids.shape[0])
        x = jax.vmap(self.wte)(ids) + jax.vmap(self.wpe)(positions)
        for block in self.h:
            x = block(x)
        x = jax.vmap(self.ln_f)(x)
        return x @ self.wte.weight.T

    def __call__(self, ids):
        return jax.vmap(self.single)(ids)


def port(original):
    w = {name: jnp.asarray(value.numpy()) for name, value in original.state_dict().items()}
    model = GPT(19, 8, 10, 2, 2, jax.random.key(0))
    model = eqx.tree_at(
        lambda m: (m.wte.weight, m.wpe.weight, m.ln_f.weight, m.ln_f.bias),
        model,
        (w["wte.weight"], w["wpe.weight"], w["ln_f.weight"], w["ln_f.bias"]),
    )
    for at in range(2):
        q_w, k_w, v_w = jnp.split(w[f"h.{at}.attn.c_attn.weight"], 3)
        q_b, k_b, v_b = jnp.split(w[f"h.{at}.attn.c_attn.bias"], 3)
        block = eqx.tree_at(
            lambda b: (
                b.attn.query_proj.weight,
                b.attn.key_proj.weight,
                b.attn.value_proj.weight,
                b.attn.query_proj.bias,
                b.attn.key_proj.bias,
                b.attn.value_proj.bias,
            ),
            model.h[at],
            (q_w, k_w, v_w, q_b, k_b, v_b),
        )
        block = eqx.tree_at(
            lambda b: [
                getattr(layer, kind)
                for layer in (b.ln_1, b.attn.output_proj, b.ln_2, b.c_fc, b.c_proj)
                for kind in ("weight", "bias")
            ],
            block,
            [
                w[f"h.{at}.{layer}.{kind}"]
                for layer in ("ln_1", "attn.c_proj", "ln_2", "c_fc", "c_proj")
                for kind in ("weight", "bias")
            ],
        )
        model = eqx.tree_at(lambda m: m.h[at], model, block)
    return model
