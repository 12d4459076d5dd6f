"""The three implementations are one exhibit: same files, same functions, same order, short enough to read."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterable
from typing import get_args

import jax
import pytest
import torch

from gradparity.contract import Activation, Loss

from .helpers import ROOT, implementation, submodule

FOLDERS = ("impl_numpy", "impl_torch", "impl_jax")
FILES = (
    *("__init__.py", "model.py", "gradients.py", "optimizers.py", "train.py", "ensemble.py"),
    *("tuned.py", "tuned_step.py", "rounding.py", "exact.py", "ladder.py"),
)
MIRRORED = {
    "model.py": ["forward"],
    "gradients.py": ["mse", "binary_cross_entropy", "softmax_cross_entropy", "loss_and_grads"],
    "train.py": ["train"],
    "ensemble.py": ["train_ensemble"],
    "rounding.py": ["require", "in_float32", "rounded", "to_float64", "to_float32"],
    "exact.py": ["forward", "loss_and_grads", "train"],
    "ladder.py": ["exp", "tree_sum", "product", "mse", "train"],
}
# What one framework has to write itself, and the others' counterpart of it. What an optimizer is, differs throughout.
OWN = {
    ("impl_numpy", "sigmoid"): (torch.sigmoid, jax.nn.sigmoid),
    ("impl_numpy", "unfold"): (torch.nn.functional.conv2d, jax.lax.conv_general_dilated),
    ("impl_numpy", "matrix"): (torch.nn.functional.conv2d, jax.lax.conv_general_dilated),
    ("impl_numpy", "fold"): (torch.Tensor.backward, jax.grad),
    ("impl_numpy", "softmax"): (torch.Tensor.backward, jax.grad),
    ("impl_numpy", "value_and_grad"): (torch.Tensor.backward, jax.value_and_grad),
    ("impl_numpy", "snapshot"): (),
    ("impl_numpy", "mlp"): (),
    ("impl_torch", "to_torch"): (),
    ("impl_torch", "to_numpy"): (),
    ("impl_torch", "MLP"): (),
    ("impl_torch", "ExactMLP"): (),
    ("impl_torch", "Sigmoid"): (),
    ("impl_torch", "Product"): (),
    ("impl_torch", "round_in_place"): (),
    ("impl_jax", "leaky_relu"): (torch.nn.functional.leaky_relu,),
    ("impl_jax", "mlp"): (),
    ("impl_jax", "loss"): (),
    ("impl_jax", "step"): (),
    ("impl_jax", "run_epochs"): (),
    ("impl_jax", "pieces"): (),
    ("impl_jax", "sigmoid"): (),
    ("impl_jax", "run"): (),
}


def test_same_files() -> None:
    for folder in FOLDERS:
        assert {p.name for p in (ROOT / folder).glob("*.py")} == set(FILES)


@pytest.mark.parametrize("file", MIRRORED)
@pytest.mark.parametrize("folder", FOLDERS)
def test_same_names_in_the_same_order(folder: str, file: str) -> None:
    tree = ast.parse((ROOT / folder / file).read_text())
    public = [
        node.name
        for node in tree.body
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("_")
    ]
    assert [name for name in public if (folder, name) not in OWN] == MIRRORED[file]


def test_tuned_variants_have_their_own_tricks_and_the_same_frame() -> None:
    """What makes a framework fast differs; where it does nothing, the plain implementation takes over."""
    frame = ["speeds_up", "loss_and_grads", "train", "train_ensemble"]
    for folder in FOLDERS:
        assert submodule(f"{folder}.tuned").__all__ == [
            "forward",
            "loss_and_grads",
            "train",
            "train_ensemble",
        ]
        tree = ast.parse((ROOT / folder / "tuned.py").read_text())
        names = [node.name for node in tree.body if isinstance(node, ast.FunctionDef)]
        assert [name for name in names if name in frame] == frame


@pytest.mark.parametrize("file", MIRRORED)
@pytest.mark.parametrize("folder", FOLDERS)
def test_fits_on_two_screens(folder: str, file: str) -> None:
    assert len((ROOT / folder / file).read_text().splitlines()) <= 150


@pytest.mark.parametrize("table", ["ACTIVATIONS", "LOSSES"])
def test_same_choices(table: str) -> None:
    """Each framework knows the activations and losses of the contract, in its order."""
    wanted = {"ACTIVATIONS": get_args(Activation), "LOSSES": get_args(Loss)}[table]
    for folder in FOLDERS:
        holder = submodule(f"{folder}.{'model' if table == 'ACTIVATIONS' else 'gradients'}")
        assert tuple(getattr(holder, table)) == wanted


def test_same_signatures() -> None:
    for function in ("forward", "loss_and_grads", "train", "train_ensemble"):
        signatures = {
            str(inspect.signature(getattr(implementation(name).implementation, function)))
            for name in ("numpy", "torch", "jax")
        }
        assert len(signatures) == 1


def test_gradparity_imports_no_implementation() -> None:
    """Nor, but where a target in it is checked, a framework."""
    for file in (ROOT / "shared").rglob("*.py"):
        tree = ast.parse(file.read_text())
        assert not [n for n in _imported(ast.walk(tree)) if ".impl_" in f".{n}"], file
        at_import = _imported(tree.body)
        assert {n.partition(".")[0] for n in at_import}.isdisjoint({"torch", "jax", "optax"}), file


def _imported(nodes: Iterable[ast.AST]) -> list[str]:
    names = []
    for node in nodes:
        names += [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        if isinstance(node, ast.ImportFrom):
            names += [f"{node.module or ''}.{alias.name}" for alias in node.names]
    return names
