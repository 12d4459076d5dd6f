"""Everything by einsum; leaky slopes nowhere, a linear output, half the sum of squares."""

import numpy as np


def evaluate(v, b, w, c, x, t):
    pre = np.einsum("ni,ih->nh", x, v) + b
    hid = np.tanh(pre)
    out = np.einsum("nh,ho->no", hid, w) + c
    err = out - t
    energy = 0.5 * np.einsum("no,no->", err, err) / len(x)
    g_out = err / len(x)
    g_w = np.einsum("nh,no->ho", hid, g_out)
    g_c = np.einsum("no->o", g_out)
    g_hid = np.einsum("no,ho->nh", g_out, w)
    g_pre = g_hid * (1 - hid * hid)
    g_v = np.einsum("ni,nh->ih", x, g_pre)
    g_b = np.einsum("nh->h", g_pre)
    return out, energy, (g_v, g_b, g_w, g_c)
