"""The three implementations are one exhibit: same files, same functions, same order, short enough to read."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterable, Iterator
from typing import Any, get_args, get_type_hints

import pytest

from gradparity.contract import Activation, Loss, Network

from .helpers import ROOT, implementation, submodule

FOLDERS = ("impl_numpy", "impl_torch", "impl_jax")
MIRRORED = {
    "activations.py": ["ACTIVATIONS"],
    "losses.py": [*get_args(Loss), "LOSSES"],
    "layers.py": ["dense", "convolution", "LAYERS"],
    "gradients.py": ["forward", "loss_and_grads"],
    "optimizers.py": ["NAMES", "make_optimizer", "load_state", "read_state"],
    "train.py": ["train"],
    "ensemble.py": ["train_ensemble"],
    "tuned/__init__.py": ["speeds_up", "loss_and_grads", "train", "train_ensemble"],
    "exact/__init__.py": ["forward", "loss_and_grads", "train"],
    "exact/rounding.py": ["rounded", "to_float64", "to_float32"],
    "exact/causes.py": [
        *("LN2_HIGH", "LN2_LOW", "DEGREE", "LOWEST"),
        *("exp", "sigmoid", "tree_sum", "product", "mse", "train"),
    ],
}
"""The public names of each file, in order. A class of torch's, such as `Dense`, counts as the function `dense`."""

OTHER_FILES = {"__init__.py", "tuned/step.py"}
"""They are everywhere, and not mirrored: one exports, and the other has what makes the framework fast."""

EXCUSES: dict[str, dict[str, str]] = {
    "autograd and grad know the derivative of every function; by hand, it stands beside it": {
        "impl_numpy": "Activation Functions"
    },
    "the derivatives themselves, by hand": {
        "impl_numpy": "dense_gradient dense_backward convolution_gradient convolution_backward"
    },
    "torch and JAX have a σ, and a cross-entropy that knows it": {"impl_numpy": "sigmoid"},
    "torch and JAX have a convolution": {"impl_numpy": "flat matrix rows unfold fold"},
    "in torch it is `loss.backward()`": {
        "impl_numpy": "value_and_grad",
        "impl_jax": "value_and_grad",
    },
    "who owns the weights: a module, or nobody; NumPy needs nothing more than `forward`": {
        "impl_torch": "model",
        "impl_jax": "apply",
    },
    "`grad` differentiates a function; torch differentiates a number": {"impl_jax": "loss"},
    "JAX compiles its loop, which takes time": {"impl_jax": "step run compile_clock.py"},
    "what is compiled depends on this part of a schedule": {"impl_jax": "Rule"},
    "torch keeps weights transposed": {"impl_torch": "to_torch to_contract"},
    "torch.optim and optax have the formulas, and names of their own for the state": {
        "impl_numpy": "initial_state update"
    },
    "its loops share it; in torch and JAX what it copies differs from loop to loop": {
        "impl_numpy": "snapshot"
    },
}
"""Why a framework has names, or a file, that the others lack."""


def excused(folder: str) -> set[str]:
    return {name for names in EXCUSES.values() for name in names.get(folder, "").split()}


def public(folder: str, file: str) -> list[str]:
    """Functions, classes and tables, in order; not the names of types."""
    found = []
    for node in ast.parse((ROOT / folder / file).read_text()).body:
        match node:
            case ast.FunctionDef(name=name):
                found.append(name)
            case ast.ClassDef(name=name):
                found.append(name.lower() if folder == "impl_torch" else name)
            case ast.Assign(targets=[ast.Name(id=name)]) | ast.AnnAssign(target=ast.Name(id=name)):
                found += [name] if name.isupper() or name.islower() else []
    return [name for name in found if not name.startswith("_")]


def files(folder: str) -> set[str]:
    root = ROOT / folder
    return {path.relative_to(root).as_posix() for path in root.rglob("*.py")}


@pytest.mark.parametrize("folder", FOLDERS)
def test_same_files(folder: str) -> None:
    assert files(folder) - excused(folder) == {*MIRRORED, *OTHER_FILES}


@pytest.mark.parametrize("file", MIRRORED)
@pytest.mark.parametrize("folder", FOLDERS)
def test_same_names_in_the_same_order(folder: str, file: str) -> None:
    by_hand = (folder, file) == ("impl_numpy", "optimizers.py")
    wanted = [] if by_hand else MIRRORED[file]
    extra = excused(folder) - set(wanted)
    assert [name for name in public(folder, file) if name not in extra] == wanted


@pytest.mark.parametrize("folder", FOLDERS)
def test_every_excuse_is_needed(folder: str) -> None:
    assert len(EXCUSES) <= 12
    there = {name for file in MIRRORED for name in public(folder, file)} | files(folder)
    assert excused(folder) <= there


def test_by_hand_each_layer_is_followed_by_its_derivatives() -> None:
    layers = MIRRORED["layers.py"][:2]
    names = [name for name in public("impl_numpy", "layers.py") if name.startswith(tuple(layers))]
    assert names == [name + end for name in layers for end in ("", "_gradient", "_backward")]


@pytest.mark.parametrize("folder", FOLDERS)
def test_tuned_variants_offer_the_same(folder: str) -> None:
    """Where they do nothing special, the plain implementation takes over."""
    module = submodule(f"{folder}.tuned")
    assert module.__all__ == ["forward", "loss_and_grads", "train", "train_ensemble"]


@pytest.mark.parametrize("file", MIRRORED)
@pytest.mark.parametrize("folder", FOLDERS)
def test_fits_on_two_screens(folder: str, file: str) -> None:
    most = 210 if file.startswith("tuned") else 150
    assert len((ROOT / folder / file).read_text().splitlines()) <= most


@pytest.mark.parametrize(
    ("file", "wanted"),
    [
        ("activations", get_args(Activation)),
        ("losses", get_args(Loss)),
        ("layers", get_args(get_args(get_type_hints(Network)["layers"])[0])),
    ],
)
@pytest.mark.parametrize("folder", FOLDERS)
def test_same_choices(folder: str, file: str, wanted: tuple[Any, ...]) -> None:
    """Each framework knows the activations, losses and layers of the contract, in its order."""
    table = getattr(submodule(f"{folder}.{file}"), file.upper())
    assert tuple(table) == wanted


def test_same_signatures() -> None:
    for function in ("forward", "loss_and_grads", "train", "train_ensemble"):
        signatures = {
            str(inspect.signature(getattr(implementation(name).implementation, function)))
            for name in ("numpy", "torch", "jax")
        }
        assert len(signatures) == 1


RECORDERS = {
    "torch": ("torch_recorder", "torch_model"),
    "jax": ("jax_recorder", "jax_program", "jax_primitives", "jax_model"),
}
"""The modules of `tracing` and `porting` that import a framework: each records programs in it."""


def test_gradparity_imports_no_implementation() -> None:
    """Nor, but where a program in it is checked or recorded, a framework."""
    recorders = {name: framework for framework, names in RECORDERS.items() for name in names}
    for file in (ROOT / "shared").rglob("*.py"):
        tree = ast.parse(file.read_text())
        assert not [n for n in _imported(ast.walk(tree)) if ".impl_" in f".{n}"], file
        at_import = _imported(_run_at_import(tree))
        allowed = (
            {recorders[file.stem]}
            if file.parent.name in {"tracing", "models"} and file.stem in recorders
            else set()
        )
        frameworks = {n.partition(".")[0] for n in at_import} & {"torch", "jax", "optax"}
        assert frameworks <= allowed, file
        # What imports a recorder when it is imported imports its framework.
        brought = {recorders[part] for n in at_import for part in n.split(".") if part in recorders}
        assert brought <= allowed, file


def _run_at_import(node: ast.AST) -> Iterator[ast.AST]:
    """Yield what runs when a module is imported, also within `try`, `if` and classes: all but functions' bodies."""
    for child in ast.iter_child_nodes(node):
        if not isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            yield child
            yield from _run_at_import(child)


@pytest.mark.parametrize(
    "text",
    [
        "import torch",
        "try:\n    import torch\nexcept ImportError:\n    pass",
        "try:\n    pass\nexcept ImportError:\n    import torch",
        "if True:\n    pass\nelse:\n    from torch import nn",
        "with x:\n    class A:\n        import torch",
    ],
)
def test_an_import_in_a_block_is_one(text: str) -> None:
    framework, _, _ = _imported(_run_at_import(ast.parse(text)))[0].partition(".")
    assert framework == "torch"
    function = "def f():\n" + "".join(f"    {line}\n" for line in text.splitlines())
    assert not _imported(_run_at_import(ast.parse(function)))


def _imported(nodes: Iterable[ast.AST]) -> list[str]:
    names = []
    for node in nodes:
        names += [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        if isinstance(node, ast.ImportFrom):
            names += [f"{node.module or ''}.{alias.name}" for alias in node.names]
    return names
