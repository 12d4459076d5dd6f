"""The GPT in flax.nnx."""

import jax
import jax.numpy as jnp
from flax import nnx
from gpt import batch as inputs
from gpt import gpt as original


class Attention(nnx.Module):
    def __init__(self, width: int, heads: int, rngs: nnx.Rngs):
        self.heads = heads
        self.c_attn = nnx.Linear(width, 3 * width, rngs=rngs)
        self.c_proj = nnx.Linear(width, width, rngs=rngs)

    def __call__(self, x):
        b, t, c = x.shape
        q, k, v = jnp.split(self.c_attn(x), 3, axis=-1)
        q, k, v = (a.reshape(b, t, self.heads, c // self.heads) for a in (q, k, v))
        y = jax.nn.dot_product_attention(q, k, v, is_causal=True)
        return self.c_proj(y.reshape(b, t, c))


class Block(nnx.Module):
    def __init__(self, width: int, heads: int, rngs: nnx.Rngs):
        self.ln_1 = nnx.LayerNorm(width, epsilon=1e-5, rngs=rngs)
        self.attn = Attention(width, heads, rngs)
        self.ln_2 = nnx.LayerNorm(width, epsilon=1e-5, rngs=rngs)
        self.c_fc = nnx.Linear(width, 4 * width, rngs=rngs)
        self.c_proj = nnx.Linear(4 * width, width, rngs=rngs)

    def __call__(self, x):
        x = x + self.attn(self.ln_1(x))
        h = nnx.gelu(self.c_fc(self.ln_2(x)), approximate=True)
        return x + self.c_proj(h)


class GPT(nnx.Module):
    def __init__(self, vocabulary, context, width, heads, layers, rngs: nnx.Rngs):
        self.wte = nnx.Embed(vocabulary, width, rngs=rngs)
        self.wpe = nnx.Embed(context, width, rngs=rngs)
        self.h = nnx.List([Block(width, heads, rngs) for _ in range(layers)])
        self.ln_f = nnx.LayerNorm(width, epsilon=1e-5, rngs=rngs)

    def __call__(self, ids):
        x = self.wte(ids) + self.wpe(jnp.arange(ids.shape[1]))
        for block in self.h:
            x = block(x)
        x = self.ln_f(x)
        return self.wte.attend(x)


def load(model, state):
    for name, value in state.items():
        if name == "lm_head.weight":
            continue  # tied to wte
        *path, leaf = name.split(".")
        module = model
        for part in path:
            module = module[int(part)] if part.isdigit() else getattr(module, part)
        if isinstance(module, nnx.Embed):
            module.embedding.value = value
        elif leaf == "bias":
            module.bias.value = value
        elif isinstance(module, nnx.LayerNorm):
            module.scale.value = value
        else:
            module.kernel.value = value.T


def port(original):
    model = GPT(19, 8, 10, 2, 2, nnx.Rngs(0))
    load(model, {name: jnp.asarray(value.numpy()) for name, value in original.state_dict().items()})
    return model
