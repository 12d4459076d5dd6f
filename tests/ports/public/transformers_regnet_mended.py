"""RegNet whose layers are told to train: Flax does not pass `deterministic` on; see transformers_regnet.py."""

import inspect

import transformers_regnet
from transformers.models.regnet import modeling_flax_regnet
from transformers_regnet import inputs, original

_called = modeling_flax_regnet.FlaxRegNetConvLayer.__call__


def port(original):
    apply, params, statistics = transformers_regnet.port(original)
    inside = inspect.unwrap(_called)

    def told(params, statistics, pixel_values, train=False):
        inside.__defaults__ = (not train,)
        return apply(params, statistics, pixel_values, train)

    return told, params, statistics
