"""Mamba-2 with its head: transformers 4.57.6 against mamba2-jax 1.1.2 (flax.nnx), with the weights that it loads."""

from flax import nnx
from mamba2_jax.modeling import Mamba2Config as NnxConfig
from mamba2_jax.modeling import Mamba2ForCausalLM as NnxModel
from mamba2_jax.params import load_pytorch_weights
from transformers import Mamba2Config, Mamba2ForCausalLM
from transformers.models.mamba2 import modeling_mamba2

modeling_mamba2.is_fast_path_available = False  # the path that a CPU takes

SIZES = {
    "vocab_size": 40,
    "hidden_size": 16,
    "state_size": 8,
    "head_dim": 8,
    "chunk_size": 4,
    "num_hidden_layers": 2,
    "tie_word_embeddings": False,
}


class Logits(nnx.Module):
    """The model without its cache, which the original is told not to return."""

    def __init__(self, model):
        self.model = model

    def __call__(self, ids):
        return {"logits": self.model(ids)["logits"]}


def inputs(rng):
    return (rng.integers(3, 40, (2, 6)),)


def original():
    model = Mamba2ForCausalLM(Mamba2Config(num_heads=4, n_groups=1, use_cache=False, **SIZES))
    return model


def port(original):
    model = NnxModel(NnxConfig(**SIZES), rngs=nnx.Rngs(0))
    state = {
        name.replace("backbone.embeddings", "backbone.embedding"): tensor.numpy()
        for name, tensor in original.state_dict().items()
    }
    model, _, skipped = load_pytorch_weights(model, state, strict=True)
    assert not skipped
    return Logits(model)
