"""Faults in the optimizers and in the weight decay."""

from __future__ import annotations

from .base import Fault, Patch

_VELOCITY = "velocity[:] = momentum * velocity + g"
_SGD_STEP = "w -= rate * (g + momentum * velocity if nesterov else velocity)"
_ADAGRAD = "w -= rate * g / (np.sqrt(square_sum) + epsilon)"
_RMS_AVERAGE = "square_average[:] = decay * square_average + (1 - decay) * g**2"
_RMS = "w -= rate * g / (np.sqrt(square_average) + epsilon)"
_CORRECTED = "mean, square = first / (1 - beta1**t), second / (1 - beta2**t)"
_ADAM = "w -= rate * mean / (np.sqrt(square) + epsilon)"
_T = "_update(schedule, w, g, a, t=state.updates + 1)"
_GIVEN = "name: map_params(np.copy, given.get(name, zeros)) for name in schedule.optimizer.arrays"
_IF_DECOUPLED = "if schedule.decoupled:"
_SHRINK = "w -= rate * schedule.weight_decay * w"
_ELIF_COUPLED = "elif schedule.weight_decay:"
_COUPLED = "g = g + schedule.weight_decay * w"


def _one(name: str, old: str, new: str, mistake: str) -> Fault:
    return Fault(name, (Patch("optimizers", old, new),), mistake)


def _two(name: str, first: tuple[str, str], second: tuple[str, str], mistake: str) -> Fault:
    return Fault(name, tuple(Patch("optimizers", *pair) for pair in (first, second)), mistake)


MOMENTUM: tuple[Fault, ...] = (
    Fault("no step", (Patch("train", "state = update(schedule, params, grads, state)", "state = state._replace(updates=state.updates + 1)"),), "the update is skipped"),
    _one("dampened momentum", _VELOCITY, "velocity[:] = momentum * velocity + (1 - momentum) * g", "momentum: the velocity takes (1 - momentum) g"),
    _one("dampened in the first update only", _VELOCITY, "velocity[:] = momentum * velocity + (g if t > 1 else (1 - momentum) * g)", "momentum: the first velocity is (1 - momentum) g"),
    _two("learning rate in the velocity", (_VELOCITY, "velocity[:] = momentum * velocity + rate * g"), (_SGD_STEP, _SGD_STEP.replace("rate * (g", "(rate * g")), "momentum: the learning rate is in the velocity"),
    _one("Nesterov as plain momentum", _SGD_STEP, "w -= rate * velocity", "Nesterov's step is that of plain momentum"),
    _one("momentum as Nesterov's", _SGD_STEP, "w -= rate * (g + momentum * velocity)", "plain momentum's step is Nesterov's"),
    _one("momentum forgotten in the velocity", _VELOCITY, "velocity[:] = velocity + g", "momentum: the velocity is a plain sum"),
    _one("velocity kept with the wrong sign", _VELOCITY, "velocity[:] = momentum * velocity - g", "momentum: the velocity takes -g"),
    _one("velocity not kept", _VELOCITY, "velocity = momentum * velocity + g", "momentum: the velocity is not kept"),
    _one("velocity used before it is renewed", f"{_VELOCITY}\n            {_SGD_STEP}", f"{_SGD_STEP}\n            {_VELOCITY}", "momentum: the step is taken with the velocity before"),
)  # fmt: skip

ADAPTIVE: tuple[Fault, ...] = (
    _one("Adagrad, ε inside the root", _ADAGRAD, "w -= rate * g / np.sqrt(square_sum + epsilon)", "Adagrad: ε is inside the root"),
    _one("Adagrad starts at 0.1", _GIVEN, "name: map_params(np.copy, given.get(name, map_params(lambda z: z + (0.1 if name == 'square_sum' else 0.0), zeros))) for name in schedule.optimizer.arrays", "Adagrad: the sum of squares starts at 0.1"),
    _one("Adagrad without the root", _ADAGRAD, "w -= rate * g / (square_sum + epsilon)", "Adagrad: the root is missing"),
    _one("Adagrad divides by the sum before", "square_sum += g**2\n            " + _ADAGRAD, _ADAGRAD + "\n            square_sum += g**2", "Adagrad: the step is taken with the sum before"),
    _one("Adagrad sums no squares", "square_sum += g**2", "square_sum += np.abs(g)", "Adagrad: the sum is of |g|, not of g²"),
    _one("RMSProp, ε inside the root", _RMS, "w -= rate * g / np.sqrt(square_average + epsilon)", "RMSProp: ε is inside the root"),
    _one("RMSProp, decay and 1 - decay swapped", _RMS_AVERAGE, "square_average[:] = (1 - decay) * square_average + decay * g**2", "RMSProp: decay and 1 - decay are swapped"),
    _one("RMSProp without the root", _RMS, "w -= rate * g / (square_average + epsilon)", "RMSProp: the root is missing"),
    _one("RMSProp adds g² undiminished", _RMS_AVERAGE, "square_average[:] = decay * square_average + g**2", "RMSProp: g² is added undiminished"),
    _one("Adam, ε inside the root", _ADAM, "w -= rate * mean / np.sqrt(square + epsilon)", "Adam: ε is inside the root"),
    _one("Adam, ε before the correction", _ADAM, "w -= rate * mean * np.sqrt(1 - beta2**t) / (np.sqrt(second) + epsilon)", "Adam: ε is added before the correction"),
    _one("Adam, t too small by one", _T, "_update(schedule, w, g, a, t=state.updates)", "Adam: t is too small by one"),
    _one("Adam, t too large by one", _T, "_update(schedule, w, g, a, t=state.updates + 2)", "Adam: t is too large by one"),
    _one("Adam, t starts anew", _T, "_update(schedule, w, g, a, t=1)", "Adam: t is always 1"),
    _one("Adam without bias correction", _CORRECTED, "mean, square = first, second", "Adam: no moment is corrected"),
    _one("Adam, second moment not corrected", _CORRECTED, "mean, square = first / (1 - beta1**t), second", "Adam: the second moment is not corrected"),
    _one("Adam, first moment not corrected", _CORRECTED, "mean, square = first, second / (1 - beta2**t)", "Adam: the first moment is not corrected"),
    _one("Adam, the moments kept corrected", _CORRECTED, "first /= 1 - beta1**t\n            second /= 1 - beta2**t\n            mean, square = first, second", "Adam: the corrected moments are kept"),
    _one("Adam, β1 and β2 swapped", "case Adam(beta1, beta2, epsilon):", "case Adam(beta2, beta1, epsilon):", "Adam: β1 and β2 are swapped"),
    _one("Adam without the root", _ADAM, "w -= rate * mean / (square + epsilon)", "Adam: the root is missing"),
    _one("Adam, the gradient in place of the first moment", _CORRECTED, "mean, square = g, second / (1 - beta2**t)", "Adam: the step takes g for the first moment"),
)  # fmt: skip

DECAY: tuple[Fault, ...] = (
    _one("coupled for decoupled", _IF_DECOUPLED, "if False:", "the weight decay is coupled, not decoupled"),
    _one("decoupled for coupled", _IF_DECOUPLED, "if schedule.weight_decay:", "the weight decay is decoupled, not coupled"),
    _one("decoupled decay without the learning rate", _SHRINK, "w -= schedule.weight_decay * w", "the decoupled weight decay is not multiplied by the learning rate"),
    _one("coupled decay with the learning rate", _COUPLED, "g = g + rate * schedule.weight_decay * w", "the coupled weight decay is multiplied by the learning rate"),
    _two("decay of weights only", (_IF_DECOUPLED, "if schedule.decoupled and w.ndim > 1:"), (_ELIF_COUPLED, "elif schedule.weight_decay and w.ndim > 1:"), "the weight decay leaves out the biases"),
    _two("decay twice", (_SHRINK, f"{_SHRINK}\n        {_SHRINK}"), (_COUPLED, f"{_COUPLED}\n        {_COUPLED}"), "the weight decay is applied twice"),
    _two("decay with λ doubled", (_SHRINK, _SHRINK.replace("rate", "2 * rate")), (_COUPLED, "g = g + 2 * schedule.weight_decay * w"), "the weight decay is 2 λ"),
    _two("decay of the wrong sign", (_SHRINK, _SHRINK.replace("-=", "+=")), (_COUPLED, _COUPLED.replace("g +", "g -")), "the weight decay has the wrong sign"),
    _two("no decay", (_SHRINK, "pass"), (_COUPLED, "pass"), "the weight decay is missing"),
)  # fmt: skip
