"""Evaluate both sides of a pair in float64: outputs, gradients, running statistics, one update.

A port's parameters have other names and shapes than the original's. Converting weights is an affine map, so gradients are compared
along directions: for a change of one parameter of the original, the slope of its loss is that of the port's along what the
conversion makes of that change.
"""

import copy
import importlib.util
import inspect
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

import equinox as eqx
import flax.linen
import haiku as hk
import jax
import jax.numpy as jnp
import numpy as np
import torch
from flax import nnx

jax.config.update("jax_enable_x64", True)

Arrays = list[np.ndarray]
_MODES = {
    "train": False,
    "training": False,
    "is_training": False,
    "deterministic": True,
    "use_running_average": True,
    "inference": True,
}
_DIRECTIONS = 2
SHORT = {"gpt_nnx"}
"""Pairs that are equal in float32 only: `jax.nn.dot_product_attention` takes its softmax in float32."""
_MODELS = {"mlp", "conv", "rnn", "transformer", "gpt"}


@dataclass
class Sides:
    """What both sides compute, in one mode.

    Attributes:
        outputs: the original's and the port's, in the order in which each returns them.
        slopes: name of an original parameter to slopes of both losses along changes of it.
        buffers: name of a running statistic to its values after the pass; the port's only if its structure has it.
        updates: changes of all parameters by an update of the original's optimizer, and of the port's, along the directions.
    """

    outputs: list[tuple[np.ndarray, np.ndarray]]
    slopes: dict[str, tuple[np.ndarray, np.ndarray]]
    loss: tuple[float, float] | None = None
    buffers: tuple[Arrays, Arrays] = field(default_factory=lambda: ([], []))
    updates: tuple[Arrays, Arrays] = field(default_factory=lambda: ([], []))


@contextmanager
def loaded(file: Path) -> Iterator[ModuleType]:
    """Load a pair with its siblings importable, and forget all of them afterwards."""
    known = set(sys.modules)
    sys.path.insert(0, str(file.parent))
    try:
        spec = importlib.util.spec_from_file_location("pair", file)
        module = importlib.util.module_from_spec(spec)
        sys.modules["pair"] = module
        spec.loader.exec_module(module)
        yield module
    finally:
        sys.path.remove(str(file.parent))
        for name in set(sys.modules) - known:
            place = getattr(sys.modules[name], "__file__", None)
            if place is not None and Path(place).parent == file.parent:
                del sys.modules[name]


def perturb(model: torch.nn.Module, seed: int) -> torch.nn.Module:
    """Return the model in float64, its parameters and running statistics in general position."""
    rng = np.random.default_rng(seed)
    model = copy.deepcopy(model).double()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter += torch.from_numpy(0.1 * rng.normal(size=parameter.shape))
        for name, buffer in model.named_buffers():
            if name.endswith("running_mean"):
                buffer += torch.from_numpy(0.1 * rng.normal(size=buffer.shape))
            elif name.endswith("running_var"):
                buffer *= torch.from_numpy(rng.uniform(0.5, 1.5, size=buffer.shape))
    return model


def _call(function: Callable, first: tuple, batch: Any, keywords: dict) -> Any:
    if isinstance(batch, dict):
        names = inspect.signature(function).parameters
        if all(name in names for name in batch):
            return function(*first, **batch, **keywords)
        return function(*first, *batch.values(), **keywords)
    return function(*first, *(batch if isinstance(batch, tuple) else (batch,)), **keywords)


def _mode(function: Callable, train: bool) -> dict[str, bool]:
    names = inspect.signature(function).parameters
    return {name: train != idle for name, idle in _MODES.items() if name in names}


def _leaves(tree: Any) -> list:
    if isinstance(tree, dict):
        return [leaf for value in tree.values() for leaf in _leaves(value)]
    if isinstance(tree, (list, tuple)):
        return [leaf for value in tree for leaf in _leaves(value)]
    return [] if tree is None else [tree]


class Port:
    """A port: its parameters as a flat list of arrays, and its loss as a function of them."""

    def __init__(self, built: Any, train: bool) -> None:
        self.train = train
        self.differentiable = True
        if isinstance(built, nnx.Module):
            built.train() if train else built.eval()
            for _, module in nnx.iter_modules(built):
                if isinstance(module, nnx.Dropout):
                    module.deterministic = True
                if isinstance(module, nnx.Embed):  # it keeps the format that it was made in
                    module.dtype = jnp.float64
            graph, params, rest = nnx.split(built, nnx.Param, ...)

            def apply(params: Any, batch: Any) -> Any:
                model = nnx.merge(graph, params, rest, copy=True)
                out = _call(model, (), batch, _mode(type(model).__call__, train))
                return out, nnx.state(model, nnx.BatchStat)

        elif isinstance(built, eqx.Module) or isinstance(built[0], eqx.Module):
            built, *state = built if isinstance(built, tuple) else (built,)
            if not train:
                built = eqx.nn.inference_mode(built)
            else:
                built = eqx.nn.inference_mode(built, value=False)
                built = jax.tree.map(
                    lambda leaf: (
                        eqx.tree_at(lambda d: d.inference, leaf, True)
                        if isinstance(leaf, eqx.nn.Dropout)
                        else leaf
                    ),
                    built,
                    is_leaf=lambda leaf: isinstance(leaf, eqx.nn.Dropout),
                )
            params, rest = eqx.partition(built, eqx.is_inexact_array)

            def apply(params: Any, batch: Any) -> Any:
                model = eqx.combine(params, rest)
                if state:
                    out, new = model(*batch.values(), *state)
                    return out, jax.tree.leaves(eqx.filter(new, eqx.is_inexact_array))
                return _call(model, (), batch, _mode(type(model).__call__, train)), {}

        elif isinstance(built[0], flax.linen.Module):
            module, variables = built
            variables = dict(variables)
            params = variables.pop("params")

            def apply(params: Any, batch: Any) -> Any:
                keywords = _mode(type(module).__call__, train)
                if "deterministic" in keywords:
                    keywords["deterministic"] = True
                values = batch if isinstance(batch, tuple) else tuple(batch.values())
                with flax.linen.intercept_methods(_without_dropout):
                    return module.apply(
                        {"params": params, **variables},
                        *values,
                        mutable=["batch_stats"],
                        **keywords,
                    )

        elif isinstance(built[0], (hk.Transformed, hk.TransformedWithState)):
            transformed, params, *state = built

            def apply(params: Any, batch: Any) -> Any:
                keywords = {"is_training": train} if state else {}
                values = tuple(batch.values())
                if state:
                    return transformed.apply(params, *state, None, *values, **keywords)
                return transformed.apply(params, None, *values), {}

        else:
            function, params, *state = built
            self.differentiable = not isinstance(_leaves(params)[0], np.ndarray)

            def apply(params: Any, batch: Any) -> Any:
                found = _call(function, (params, *state), batch, _mode(function, train))
                return found if state else (found, {})

        self.apply, self.params = apply, params

    def forward(self, batch: Any) -> list:
        """Return the outputs."""
        if not self.differentiable:
            return _leaves(self.apply(self.params, batch)[0][0])
        return _leaves(jax.jit(lambda params: self.apply(params, batch)[0])(self.params))

    def evaluate(self, batch: Any, projections: Callable, loss: Callable | None) -> tuple:
        """Return outputs, loss, gradients (flat), buffers; the loss is the projection of the outputs if there is none."""
        if not self.differentiable:
            (out, backward), buffers = self.apply(self.params, batch)
            weights = projections(_leaves(out))
            d = weights if isinstance(out, (tuple, list, dict)) else weights[0]
            value = sum(float((o * w).sum()) for o, w in zip(_leaves(out), weights, strict=True))
            if loss is not None:
                value, d = loss(out, batch)
            gradient = backward(d)
            flat = [gradient.get(name, 0 * value) for name, value in self.params.items()]
            return _leaves(out), value, flat, gradient, buffers

        def objective(params: Any) -> Any:
            out, buffers = self.apply(params, batch)
            if loss is not None:
                value = loss(out, batch)
            else:
                leaves = _leaves(out)
                value = sum(
                    jnp.sum(o * w) for o, w in zip(leaves, projections(leaves), strict=True)
                )
            return value, (out, buffers)

        graded = jax.jit(jax.value_and_grad(objective, has_aux=True))
        (value, (out, buffers)), gradient = graded(self.params)
        return _leaves(out), float(value), jax.tree.leaves(gradient), gradient, buffers


def _without_dropout(call: Callable, args: tuple, kwargs: dict, context: Any) -> Any:
    if isinstance(context.module, flax.linen.Dropout) and context.method_name == "__call__":
        return args[0]
    return call(*args, **kwargs)


def flat(params: Any) -> Arrays:
    """Return the parameters' arrays, in the order of their gradients."""
    if isinstance(params, dict) and isinstance(next(iter(params.values()), None), np.ndarray):
        return list(params.values())
    return [np.asarray(leaf, np.float64) for leaf in jax.tree.leaves(params)]


def evaluate(file: Path, train: bool, *, deep: bool = True, seed: int = 0) -> Sides:
    """Evaluate both sides of a pair; only the outputs if it is not to be deep.

    Raises:
        Whatever the pair raises.
    """
    with loaded(file) as pair:
        rng = np.random.default_rng(seed)
        batch = pair.inputs(rng)
        original = perturb(pair.original(), seed)
        original.train(train)
        for module in original.modules():
            if isinstance(module, torch.nn.Dropout):
                module.eval()
        before = copy.deepcopy(original)
        tensors = {k: torch.from_numpy(np.asarray(v)) for k, v in batch.items()}
        out = _call(original, (), tensors, {})
        leaves = _leaves(out)

        def projections(like: list) -> list:
            rng = np.random.default_rng(seed + 1)
            return [rng.normal(size=tuple(np.shape(one))) for one in like]

        common = getattr(pair, "loss", None)
        original_loss = getattr(pair, "original_loss", common)
        port_loss = getattr(pair, "port_loss", common)
        port = Port(pair.port(copy.deepcopy(before)), train)
        others = port.forward(batch)
        outputs = [
            (one.detach().numpy(), np.asarray(two)) for one, two in zip(leaves, others, strict=True)
        ]
        sides = Sides(outputs, {})
        if not deep:
            return sides
        value = sum(
            (one * torch.from_numpy(w)).sum()
            for one, w in zip(leaves, projections(leaves), strict=True)
        )
        losses = [(value, None)]
        if original_loss is not None and port_loss is not None:
            losses.append((original_loss(out, tensors), port_loss))
        parameters = dict(original.named_parameters())
        for number, (value, theirs) in enumerate(losses):
            gradients = torch.autograd.grad(
                value, parameters.values(), retain_graph=True, allow_unused=True
            )
            _, other, flat_gradient, tree, buffers = port.evaluate(batch, projections, theirs)
            if number == 1:
                sides.loss = float(value.detach()), float(other)
            base = flat(port.params)
            rng = np.random.default_rng(seed + 2)
            for (name, parameter), gradient in zip(parameters.items(), gradients, strict=True):
                ours, others = [], []
                for _ in range(_DIRECTIONS):
                    direction = rng.normal(size=parameter.shape)
                    changed = copy.deepcopy(before)
                    with torch.no_grad():
                        dict(changed.named_parameters())[name] += torch.from_numpy(direction)
                    moved = flat(Port(pair.port(changed), train).params)
                    g = 0 if gradient is None else gradient.numpy()
                    ours.append((g * direction).sum())
                    others.append(
                        sum(
                            ((m - b) * np.asarray(g)).sum()
                            for m, b, g in zip(moved, base, flat_gradient, strict=True)
                        )
                    )
                sides.slopes[f"{name}{' (loss)' * number}"] = np.array(ours), np.array(others)
        if train:
            sides.buffers = (
                [
                    b.numpy()
                    for n, b in original.named_buffers()
                    if n.endswith(("running_mean", "running_var"))
                ],
                [np.asarray(leaf) for leaf in jax.tree.leaves(buffers)],
            )
        if (
            hasattr(pair, "optimizers") and not train
        ):  # Adam makes much of a gradient that is only rounding
            sides.updates = _update(
                pair, original, before, losses[-1], port, batch, projections, train
            )
        return sides


def _update(
    pair, original, before, losses, port, batch, projections, train
) -> tuple[Arrays, Arrays]:
    """Return what two updates make of the port's parameters, and what the conversion makes of the original's."""
    import optax

    make, theirs = pair.optimizers()
    model = copy.deepcopy(before)
    optimizer = make(model.parameters())
    params, state = port.params, None
    start = params
    if isinstance(theirs, optax.GradientTransformation):
        state = theirs.init(params)
    for _ in range(2):
        optimizer.zero_grad()
        tensors = {k: torch.from_numpy(np.asarray(v)) for k, v in batch.items()}
        out = _call(model, (), tensors, {})
        if losses[1] is None:
            leaves = _leaves(out)
            value = sum(
                (o * torch.from_numpy(w)).sum()
                for o, w in zip(leaves, projections(leaves), strict=True)
            )
        else:
            value = getattr(pair, "original_loss", getattr(pair, "loss", None))(out, tensors)
        value.backward()
        optimizer.step()
        port.params = params
        *_, gradient, _ = port.evaluate(batch, projections, losses[1])
        if isinstance(theirs, optax.GradientTransformation):
            change, state = theirs.update(gradient, state, params)
            params = optax.apply_updates(params, change)
        else:
            params, state = theirs(params, gradient, state)
    port.params = start
    target = flat(Port(pair.port(copy.deepcopy(model)), train).params)
    first = flat(start)
    return (
        [t - s for t, s in zip(target, first, strict=True)],
        [np.asarray(p) - s for p, s in zip(flat(params), first, strict=True)],
    )


def relative(one: np.ndarray, two: np.ndarray) -> float:
    """Return the largest difference relative to the largest entry; infinite if shapes differ."""
    one, two = np.asarray(one), np.asarray(two)
    if one.shape != two.shape:
        return float("inf")
    size = max(np.abs(one).max(initial=0), np.abs(two).max(initial=0))
    if not np.isfinite(size):
        return float("inf")
    return float(np.abs(one - two).max(initial=0) / size) if size else 0.0


def _paired(ours: Arrays, theirs: Arrays) -> float:
    """Return the largest difference of arrays that stand in another order; 0 if the port has none."""
    if not theirs:
        return 0.0
    left = list(theirs)
    worst = 0.0
    for one in ours:
        shares = [relative(one.ravel(), two.ravel()) for two in left]
        worst = max(worst, min(shares))
        left.pop(int(np.argmin(shares)))
    return worst


def _updated(ours: Arrays, theirs: Arrays) -> float:
    """Return the largest difference of updates, in units of the largest step; of rounding, Adam makes 1e-9 of a step."""
    if any(a.shape != b.shape for a, b in zip(ours, theirs, strict=True)):
        return float("inf")
    size = max((np.abs(a).max(initial=0) for a in ours), default=1.0)
    return max((np.abs(a - b).max() / size for a, b in zip(ours, theirs, strict=True)), default=0.0)


def differences(sides: Sides) -> dict[str, float]:
    """Return relative differences of outputs, gradients, loss, running statistics and updates."""
    scale = max([float(np.abs(one).max()) for one, _ in sides.slopes.values()], default=1.0)
    return {
        "outputs": max(relative(*pair) for pair in sides.outputs),
        "gradients": max(
            (float(np.abs(a - b).max()) / max(float(np.abs(a).max()), 1e-3 * scale))
            for a, b in sides.slopes.values()
        )
        if sides.slopes
        else 0.0,
        "loss": relative(*map(np.array, sides.loss)) if sides.loss else 0.0,
        "buffers": _paired(*sides.buffers),
        "updates": _updated(*sides.updates),
    }


def agrees(pair: str, found: dict[str, float]) -> bool:
    """Whether these differences are rounding."""
    rounding = 1e-6 if pair in SHORT else 1e-11
    return all(v < (1e-8 if k == "updates" else rounding) for k, v in found.items())


def pairs() -> list[Path]:
    """Return the files of all correct pairs, harmless ones excluded."""
    here = Path(__file__).parent
    return sorted(
        f for m in _MODELS for f in (here / m).glob("*.py") if "def port(" in f.read_text()
    )


def main() -> None:
    """Print the differences of the pairs whose names begin with the arguments; of all without."""
    chosen = tuple(sys.argv[1:]) or ("",)
    for file in pairs():
        if file.stem.startswith(chosen):
            for train in (False, True):
                found = differences(evaluate(file, train))
                mark = " " if agrees(file.stem, found) else "!"
                shown = ", ".join(f"{k} {v:.0e}" for k, v in found.items())
                print(f"{mark} {file.stem:24s}{'train' if train else 'eval':6s}{shown}", flush=True)


if __name__ == "__main__":
    main()
