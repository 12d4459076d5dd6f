"""BERT on a padding token: its row of the embedding has no gradient in PyTorch (`padding_idx`). Of transformers 4.57.6: PyTorch against Flax, with the weights that transformers converts."""

from hugging_face import ENCODER, port_to
from transformers import BertConfig, BertModel, FlaxBertModel


def inputs(rng):
    return {"input_ids": rng.integers(0, 3, (2, 7))}


def original():
    config = BertConfig(**ENCODER)
    return BertModel(config)


port = port_to(FlaxBertModel)
