"""The equations that lines of `impl_numpy` compute: by file, by function or table, and by the line's marker.

The sample is i, the output or class k; N samples, m outputs; σ any activation; ⊙ is elementwise.
"""

from __future__ import annotations

PACKAGE = "impl_numpy"

EQUATIONS: dict[tuple[str, str, str], str] = {
    ("activations", "sigmoid", "σ"): r"\sigma(z) = \frac{1}{1 + e^{-z}}",
    ("activations", "ACTIVATIONS", "σ'"): r"\sigma' = a (1 - a)",
    ("activations", "ACTIVATIONS", "identity'"): r"\sigma' = 1",
    ("activations", "ACTIVATIONS", "ReLU"): r"\max(z, 0)",
    ("activations", "ACTIVATIONS", "ReLU'"): r"\sigma' = [a > 0]",
    ("activations", "ACTIVATIONS", "tanh'"): r"\sigma' = 1 - a^2",
    ("activations", "ACTIVATIONS", "leaky ReLU"): r"\max(z, \lambda z)",
    ("activations", "ACTIVATIONS", "leaky ReLU'"): r"\sigma' = [a > 0] + \lambda [a \le 0]",
    ("losses", "mse", "L"): r"L = \frac{1}{Nm} \sum_{i,k} (a_{ik} - y_{ik})^2",
    ("losses", "mse", "dL/da"): r"\frac{\partial L}{\partial a} = \frac{2}{Nm} (a - y)",
    ("losses", "binary_cross_entropy", "log(1 + e^z)"): r"s = \log(1 + e^z)",
    (
        "losses",
        "binary_cross_entropy",
        "L",
    ): r"L = \frac{1}{Nm} \sum_{i,k} (s_{ik} - y_{ik} z_{ik})",
    (
        "losses",
        "binary_cross_entropy",
        "dL/dz",
    ): r"\frac{\partial L}{\partial z} = \frac{\sigma(z) - y}{Nm}",
    ("losses", "softmax_cross_entropy", "z - max z"): r"z_k - \max_j z_j",
    ("losses", "softmax_cross_entropy", "p"): r"p_k = \frac{e^{z_k}}{\sum_j e^{z_j}}",
    ("losses", "softmax_cross_entropy", "log p"): r"\log\, p_k = z_k - \log\, \sum_j e^{z_j}",
    ("losses", "softmax_cross_entropy", "L"): r"L = -\frac{1}{N} \sum_{i,k} y_{ik} \log\, p_{ik}",
    ("losses", "softmax_cross_entropy", "dL/dz"): (
        r"\frac{\partial L}{\partial z_k} = \frac{p_k \sum_j y_j - y_k}{N}"
    ),
    ("layers", "dense", "a W"): r"z_l = a_{l-1} W_l",
    ("layers", "dense", "a W + b"): r"z_l = a_{l-1} W_l + b_l",
    (
        "layers",
        "dense_gradient",
        "dL/dW",
    ): r"\frac{\partial L}{\partial W_l} = a_{l-1}^{\top} \delta_l",
    ("layers", "dense_gradient", "dL/db"): r"\frac{\partial L}{\partial b_l} = \sum_i \delta_{l,i}",
    (
        "layers",
        "dense_backward",
        "dL/da",
    ): r"\frac{\partial L}{\partial a_{l-1}} = \delta_l W_l^{\top}",
    ("gradients", "forward", "a"): r"a_l = \sigma(z_l)",
    ("gradients", "value_and_grad", "L, dL/da of the last layer"): (
        r"L,\; \frac{\partial L}{\partial a_{\mathrm{last}}}"
    ),
    ("gradients", "value_and_grad", "dL/dz"): (
        r"\delta_l = \frac{\partial L}{\partial z_l} = \frac{\partial L}{\partial a_l} \odot \sigma'(z_l)"
    ),
    ("gradients", "value_and_grad", "dL/dW, dL/db"): (
        r"\frac{\partial L}{\partial W_l},\; \frac{\partial L}{\partial b_l}"
    ),
    ("gradients", "value_and_grad", "dL/da"): r"\frac{\partial L}{\partial a_{l-1}}",
    ("optimizers", "_update", "decoupled decay"): r"w \leftarrow w - \alpha \lambda w",
    ("optimizers", "_update", "coupled decay"): r"g \leftarrow g + \lambda w",
    ("optimizers", "_update", "SGD"): r"w_{t+1} = w_t - \alpha g",
    ("optimizers", "_update", "velocity"): r"v \leftarrow \mu v + g",
    ("optimizers", "_update", "momentum"): (
        r"w_{t+1} = w_t - \alpha v \;\mathrm{or}\; w_t - \alpha (g + \mu v)"
    ),
    ("optimizers", "_update", "square sum"): r"s \leftarrow s + g^2",
    ("optimizers", "_update", "Adagrad"): r"w_{t+1} = w_t - \frac{\alpha g}{\sqrt{s} + \epsilon}",
    ("optimizers", "_update", "square average"): r"s \leftarrow \rho s + (1 - \rho) g^2",
    ("optimizers", "_update", "RMSProp"): r"w_{t+1} = w_t - \frac{\alpha g}{\sqrt{s} + \epsilon}",
    ("optimizers", "_update", "first moment"): r"m \leftarrow \beta_1 m + (1 - \beta_1) g",
    ("optimizers", "_update", "second moment"): r"s \leftarrow \beta_2 s + (1 - \beta_2) g^2",
    ("optimizers", "_update", "corrected moments"): (
        r"\hat m = \frac{m}{1 - \beta_1^t},\; \hat s = \frac{s}{1 - \beta_2^t}"
    ),
    (
        "optimizers",
        "_update",
        "Adam",
    ): r"w_{t+1} = w_t - \frac{\alpha \hat m}{\sqrt{\hat s} + \epsilon}",
    ("train", "train", "L, dL/dw"): r"L(w_t),\; \nabla L(w_t)",
    ("train", "train", "w"): r"w_{t+1}",
    ("train", "train", "L"): r"L(w_T)",
}
