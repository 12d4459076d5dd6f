"""The GPT in NumPy, with its gradient by hand."""

import numpy as np
from gpt import batch as inputs
from gpt import gpt as original
from gpt import next_token_loss as original_loss

N_HEAD = 2
C = np.sqrt(2 / np.pi)


class Linear:
    def __init__(self, params, name):
        self.w, self.b = params[name + ".weight"], params[name + ".bias"]
        self.name = name

    def forward(self, x):
        self.x = x
        return x @ self.w.T + self.b

    def backward(self, dout, grads):
        grads[self.name + ".weight"] = np.einsum("bto,bti->oi", dout, self.x)
        grads[self.name + ".bias"] = dout.sum(axis=(0, 1))
        return dout @ self.w


class LayerNorm:
    def __init__(self, params, name):
        self.w, self.b = params[name + ".weight"], params[name + ".bias"]
        self.name = name

    def forward(self, x):
        mean = x.mean(axis=-1, keepdims=True)
        var = x.var(axis=-1, keepdims=True)
        self.rstd = 1.0 / np.sqrt(var + 1e-5)
        self.norm = (x - mean) * self.rstd
        return self.norm * self.w + self.b

    def backward(self, dout, grads):
        grads[self.name + ".weight"] = (dout * self.norm).sum(axis=(0, 1))
        grads[self.name + ".bias"] = dout.sum(axis=(0, 1))
        dnorm = dout * self.w
        dx = dnorm - dnorm.mean(axis=-1, keepdims=True)
        dx -= self.norm * (dnorm * self.norm).mean(axis=-1, keepdims=True)
        return dx * self.rstd


class Gelu:
    def forward(self, x):
        self.x = x
        self.tanh = np.tanh(C * (x + 0.044715 * x**3))
        return 0.5 * x * (1.0 + self.tanh)

    def backward(self, dout):
        x, tanh = self.x, self.tanh
        slope = 0.5 * (1.0 + tanh)
        slope = slope + 0.5 * x * (1.0 - tanh**2) * C * (1.0 + 3 * 0.044715 * x**2)
        return dout * slope


class Attention:
    def __init__(self, params, name):
        self.c_attn = Linear(params, name + ".c_attn")
        self.c_proj = Linear(params, name + ".c_proj")

    def forward(self, x):
        B, T, C = x.shape
        q, k, v = np.split(self.c_attn.forward(x), 3, axis=2)
        self.q, self.k, self.v = (
            a.reshape(B, T, N_HEAD, C // N_HEAD).transpose(0, 2, 1, 3) for a in (q, k, v)
        )
        self.scale = 1.0 / np.sqrt(C // N_HEAD)
        scores = np.einsum("bhqd,bhkd->bhqk", self.q, self.k) * self.scale
        scores = scores + np.triu(np.full((T, T), -1e10), k=1)
        e = np.exp(scores - scores.max(axis=-1, keepdims=True))
        self.p = e / e.sum(axis=-1, keepdims=True)
        y = np.einsum("bhqk,bhkd->bhqd", self.p, self.v)
        return self.c_proj.forward(y.transpose(0, 2, 1, 3).reshape(B, T, C))

    def backward(self, dout, grads):
        dy = self.c_proj.backward(dout, grads)
        B, T, C = dy.shape
        dy = dy.reshape(B, T, N_HEAD, C // N_HEAD).transpose(0, 2, 1, 3)
        dp = np.einsum("bhqd,bhkd->bhqk", dy, self.v)
        dv = np.einsum("bhqk,bhqd->bhkd", self.p, dy)
        ds = self.p * (dp - (dp * self.p).sum(axis=-1, keepdims=True))
        ds = ds * self.scale
        dq = np.einsum("bhqk,bhkd->bhqd", ds, self.k)
        dk = np.einsum("bhqk,bhqd->bhkd", ds, self.q)
        parts = [a.transpose(0, 2, 1, 3).reshape(B, T, C) for a in (dq, dk, dv)]
        return self.c_attn.backward(np.concatenate(parts, axis=2), grads)


class Block:
    def __init__(self, params, name):
        self.ln_1 = LayerNorm(params, name + ".ln_1")
        self.attn = Attention(params, name + ".attn")
        self.ln_2 = LayerNorm(params, name + ".ln_2")
        self.c_fc = Linear(params, name + ".c_fc")
        self.gelu = Gelu()
        self.c_proj = Linear(params, name + ".c_proj")

    def forward(self, x):
        x = x + self.attn.forward(self.ln_1.forward(x))
        h = self.gelu.forward(self.c_fc.forward(self.ln_2.forward(x)))
        return x + self.c_proj.forward(h)

    def backward(self, dout, grads):
        dh = self.gelu.backward(self.c_proj.backward(dout, grads))
        dx = dout + self.ln_2.backward(self.c_fc.backward(dh, grads), grads)
        return dx + self.ln_1.backward(self.attn.backward(dx, grads), grads)


def forward(params, ids):
    wte, wpe = params["wte.weight"], params["wpe.weight"]
    blocks = [Block(params, f"h.{i}") for i in range(2)]
    ln_f = LayerNorm(params, "ln_f")
    x = wte[ids] + wpe[: ids.shape[1]]
    for block in blocks:
        x = block.forward(x)
    x = ln_f.forward(x)
    logits = x @ wte.T

    def backward(dlogits):
        grads = {}
        dwte = np.einsum("btv,btc->vc", dlogits, x)
        dx = ln_f.backward(dlogits @ wte, grads)
        for block in reversed(blocks):
            dx = block.backward(dx, grads)
        np.add.at(dwte, ids, dx)
        grads["wte.weight"] = dwte
        grads["wpe.weight"] = np.zeros_like(wpe)
        grads["wpe.weight"][: ids.shape[1]] = dx.sum(axis=0)
        return grads

    return logits, backward


def port(original):
    params = {name: value.numpy() for name, value in original.state_dict().items()}
    del params["lm_head.weight"]  # tied
    return forward, params


def port_loss(logits, batch):
    targets = batch["ids"][:, 1:, None]
    z = logits[:, :-1]
    z = z - z.max(axis=-1, keepdims=True)
    log_p = z - np.log(np.exp(z).sum(axis=-1, keepdims=True))
    n = targets.size
    loss = -np.take_along_axis(log_p, targets, axis=-1).sum() / n
    d = np.exp(log_p)
    np.put_along_axis(d, targets, np.take_along_axis(d, targets, axis=-1) - 1, axis=-1)
    dlogits = np.zeros_like(logits)
    dlogits[:, :-1] = d / n
    return loss, dlogits
