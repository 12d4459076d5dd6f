"""The equations that lines of `impl_numpy` carry out, by the line itself, without its comment.

The sample is i, the output or class k; N samples, m outputs; σ any activation; ⊙ is elementwise.
"""

from __future__ import annotations

EQUATIONS = {
    # model.py
    "return 1.0 / (1.0 + np.exp(-z))": r"\sigma(z) = \frac{1}{1 + e^{-z}}",
    '"relu": lambda z: np.maximum(z, 0.0),': r"\max(z, 0)",
    '"leaky_relu": lambda z: np.where(z > 0.0, z, LEAK * z),': r"\max(z, \lambda z)",
    "z = unfold(layer, shape_in, a) @ matrix(layer, weight)": r"z_l = a_{l-1} W_l",
    "z = z + bias[..., None, :]": r"z_l = a_{l-1} W_l + b_l",
    "a = ACTIVATIONS[layer.activation](z).reshape(*z.shape[:-2], -1, *shape_out)": r"a_l = \sigma(z_l)",
    # gradients.py
    "return np.mean((predictions - targets) ** 2, axis=(-2, -1))": r"L = \frac{1}{Nm} \sum_{i,k} (a_{ik} - y_{ik})^2",
    "softplus = np.maximum(logits, 0.0) + np.log1p(np.exp(-np.abs(logits)))": r"s = \log(1 + e^z)",
    "return np.mean(softplus - targets * logits, axis=(-2, -1))": r"L = \frac{1}{Nm} \sum_{i,k} (s_{ik} - y_{ik} z_{ik})",
    "shifted = logits - logits.max(-1, keepdims=True)": r"z_k - \max_j z_j",
    "log_softmax = shifted - np.log(np.exp(shifted).sum(-1, keepdims=True))": r"\log\, p_k = z_k - \log\, \sum_j e^{z_j}",
    "return np.mean(-np.sum(targets * log_softmax, axis=-1), axis=-1)": r"L = -\frac{1}{N} \sum_{i,k} y_{ik} \log\, p_{ik}",
    "return exp / exp.sum(-1, keepdims=True)": r"p_k = \frac{e^{z_k}}{\sum_j e^{z_j}}",
    '"mse": lambda a, y: 2.0 * (a - y) / (a.shape[-2] * a.shape[-1]),': r"\frac{\partial L}{\partial a} = \frac{2}{Nm} (a - y)",
    '"binary_cross_entropy": lambda z, y: (sigmoid(z) - y) / (z.shape[-2] * z.shape[-1]),': r"\frac{\partial L}{\partial z} = \frac{\sigma(z) - y}{Nm}",
    '"softmax_cross_entropy": lambda z, y: (softmax(z) * y.sum(-1, keepdims=True) - y) / z.shape[-2],': r"\frac{\partial L}{\partial z_k} = \frac{p_k \sum_j y_j - y_k}{N}",
    '"sigmoid": lambda a: a * (1.0 - a),': r"\sigma' = a (1 - a)",
    '"identity": np.ones_like,': r"\sigma' = 1",
    '"relu": lambda a: np.where(a > 0.0, a.dtype.type(1.0), a.dtype.type(0.0)),': r"\sigma' = [a > 0]",
    '"tanh": lambda a: 1.0 - a**2,': r"\sigma' = 1 - a^2",
    '"leaky_relu": lambda a: np.where(a > 0.0, a.dtype.type(1.0), a.dtype.type(LEAK)),': r"\sigma' = [a > 0] + \lambda [a \le 0]",
    "d_a = LOSS_GRADIENTS[network.loss](predictions, targets)": r"\frac{\partial L}{\partial a_{\mathrm{last}}}",
    "d_z = d_a * DERIVATIVES[layer.activation](a_out)": r"\delta_l = \frac{\partial L}{\partial a_l} \odot \sigma'(z_l)",
    "weight_grad = (rows.mT @ d_z).reshape(weight.shape)": r"\frac{\partial L}{\partial W_l} = a_{l-1}^{\top} \delta_l",
    "bias_grad = None if bias is None else d_z.sum(-2)": r"\frac{\partial L}{\partial b_l} = \sum_i \delta_{l,i}",
    "d_a = fold(layer, d_z @ matrix(layer, weight).mT, shape)": r"\frac{\partial L}{\partial a_{l-1}} = \delta_l W_l^{\top}",
    # train.py
    "loss, grads = loss_and_grads(network, params, inputs[batch], targets[batch])": r"L(w_t),\; \nabla L(w_t)",
    "state = update(schedule, params, grads, state)": r"w_{t+1} = w_t - \alpha \nabla L(w_t)",
    "final_loss = LOSSES[network.loss](forward(network, params, inputs)[-1], targets)": r"L(w_T)",
}
