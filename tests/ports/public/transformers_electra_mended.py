"""ELECTRA with the token types given: Flax takes ones by default, PyTorch zeros; see transformers_electra.py."""

import numpy as np
import transformers_electra
from transformers_electra import original, port


def inputs(rng):
    ids = transformers_electra.inputs(rng)["input_ids"]
    return {"input_ids": ids, "token_type_ids": np.zeros_like(ids)}
