"""BERT with its language model's head and a mask of transformers 4.57.6: PyTorch against Flax, with the weights that transformers converts."""

import numpy as np
from hugging_face import ENCODER, port_to
from transformers import BertConfig, BertForMaskedLM, FlaxBertForMaskedLM


def inputs(rng):
    return {
        "input_ids": rng.integers(3, 50, (2, 7)),
        "attention_mask": np.array([[1] * 7, [1] * 5 + [0] * 2]),
    }


def original():
    config = BertConfig(**ENCODER)
    return BertForMaskedLM(config)


port = port_to(FlaxBertForMaskedLM)
