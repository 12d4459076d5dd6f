"""Wav2Vec2 of transformers 4.57.6: PyTorch against Flax, with the weights that transformers converts."""

from hugging_face import port_to
from transformers import FlaxWav2Vec2Model, Wav2Vec2Config, Wav2Vec2Model


def inputs(rng):
    return {"input_values": rng.standard_normal((2, 60))}


def original():
    config = Wav2Vec2Config(
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=32,
        conv_dim=(8, 8),
        conv_kernel=(5, 3),
        conv_stride=(3, 2),
        num_feat_extract_layers=2,
        num_conv_pos_embeddings=4,
        num_conv_pos_embedding_groups=2,
        feat_extract_norm="layer",
        do_stable_layer_norm=True,
        mask_time_prob=0.0,
        layerdrop=0.0,
    )
    return Wav2Vec2Model(config)


port = port_to(FlaxWav2Vec2Model, input_shape=(1, 60))
