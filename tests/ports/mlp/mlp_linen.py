"""The MLP in flax.linen."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import optax
import torch
from mlp import batch as inputs
from mlp import nll as original_loss
from mlp import original_net as original


class BatchNorm(nn.Module):
    """Batch normalisation as PyTorch does it: the running variance is the unbiased one."""

    momentum: float = 0.9
    epsilon: float = 1e-5

    @nn.compact
    def __call__(self, x, use_running_average):
        shape = x.shape[-1:]
        axes = tuple(range(x.ndim - 1))
        scale = self.param("scale", nn.initializers.ones, shape)
        bias = self.param("bias", nn.initializers.zeros, shape)
        ra_mean = self.variable("batch_stats", "mean", jnp.zeros, shape)
        ra_var = self.variable("batch_stats", "var", jnp.ones, shape)
        if use_running_average:
            mean, var = ra_mean.value, ra_var.value
        else:
            mean, var = x.mean(axes), x.var(axes)
            if not self.is_initializing():
                n = x.size // x.shape[-1]
                unbiased = var * n / (n - 1)
                ra_mean.value = self.momentum * ra_mean.value + (1 - self.momentum) * mean
                ra_var.value = self.momentum * ra_var.value + (1 - self.momentum) * unbiased
        return (x - mean) * jax.lax.rsqrt(var + self.epsilon) * scale + bias


class Net(nn.Module):
    hidden: int = 10

    @nn.compact
    def __call__(self, x, train: bool = False):
        features = x.shape[-1]
        x = nn.Dense(self.hidden, name="fc1")(x)
        x = BatchNorm(name="bn1")(x, use_running_average=not train)
        x = nn.gelu(x, approximate=False)
        y = nn.Dense(self.hidden, name="fc2")(x)
        y = BatchNorm(name="bn2")(y, use_running_average=not train)
        y = nn.leaky_relu(y, negative_slope=0.1)
        x = x + nn.Dropout(0.2, deterministic=not train)(y)
        x = nn.Dense(features, name="head")(x)
        return nn.log_softmax(x, axis=-1)


def convert(state):
    state = {name: jnp.asarray(value.numpy()) for name, value in state.items()}
    params, stats = {}, {}
    for name in ("fc1", "fc2", "head"):
        params[name] = {
            "kernel": state[f"{name}.weight"].T,
            "bias": state[f"{name}.bias"],
        }
    for name in ("bn1", "bn2"):
        params[name] = {"scale": state[f"{name}.weight"], "bias": state[f"{name}.bias"]}
        stats[name] = {
            "mean": state[f"{name}.running_mean"],
            "var": state[f"{name}.running_var"],
        }
    return {"params": params, "batch_stats": stats}


def port(original):
    return Net(), convert(original.state_dict())


def port_loss(outputs, batch):
    labels = batch["x"].argmax(-1)
    return -jnp.take_along_axis(outputs, labels[:, None], axis=-1).mean()


def optimizers():
    def original(parameters):
        return torch.optim.AdamW(parameters, lr=1e-3)

    return original, optax.adamw(1e-3, weight_decay=1e-2)
