"""Mistral with a window that is one shorter in Flax, whose mask lets a token see `sliding_window` before it, PyTorch one less."""

import copy

from hugging_face import port_to
from transformers import FlaxMistralForCausalLM
from transformers_mistral import inputs, original


def port(original):
    shorter = copy.copy(original)
    shorter.config = copy.deepcopy(original.config)
    shorter.config.sliding_window -= 1
    return port_to(FlaxMistralForCausalLM)(shorter)
