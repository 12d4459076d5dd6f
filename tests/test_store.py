"""Runs on disk: what is written is read back; what is damaged is refused; a failure leaves nothing behind."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from gradparity import files
from gradparity.errors import InputError
from gradparity.experiments import runner, store
from gradparity.experiments.runner import Run
from gradparity.verdict import compare_runs as comparison
from gradparity.verdict.judge import Verdict

from .helpers import implementation, same_bits, small_experiment


@pytest.fixture(scope="module")
def run() -> Run:
    return runner.run(implementation("numpy"), small_experiment())


def test_round_trip(run: Run, tmp_path: Path) -> None:
    folder = store.save(run, tmp_path)
    again = store.load(folder)
    assert again.experiment == run.experiment
    assert np.array_equal(again.trajectory.losses, run.trajectory.losses)
    assert np.array_equal(again.predictions, run.predictions)
    assert again.trajectory.final_loss == run.trajectory.final_loss
    assert again.trajectory.kept.keys() == run.trajectory.kept.keys()
    for count, (params, state) in run.trajectory.kept.items():
        assert same_bits(again.trajectory.kept[count].params, params)
        assert again.trajectory.kept[count].state == state
    assert same_bits(again.trajectory.final.params, run.trajectory.final.params)
    for name in ("implementation", "seconds", "versions", "machine", "started"):
        assert getattr(again, name) == getattr(run, name)
    assert store.load(folder.name, tmp_path).started == run.started  # by its name


def test_a_run_of_a_machine_whose_instructions_were_not_recorded(run: Run, tmp_path: Path) -> None:
    """As runs were before the instruction set was a part of the machine."""
    assert run.machine["instructions"]
    folder = store.save(run, tmp_path)
    older = {key: value for key, value in run.machine.items() if key != "instructions"}
    _set(folder, machine=older)
    assert store.load(folder).machine == older


def test_a_diverged_run_is_kept_too(run: Run, tmp_path: Path) -> None:
    trajectory = replace(run.trajectory, final_loss=float("nan"))
    folder = store.save(replace(run, trajectory=trajectory), tmp_path)
    assert np.isnan(store.load(folder).trajectory.final_loss)


def test_names_do_not_collide(run: Run, tmp_path: Path) -> None:
    folders = [store.save(run, tmp_path) for _ in range(3)]
    assert len(set(folders)) == 3
    hostile = store.save(replace(run, implementation="../../<x>"), tmp_path)
    assert hostile.parent == tmp_path
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted(f.name for f in [*folders, hostile])


def _flip_a_byte(folder: Path) -> None:
    path = folder / "arrays.npz"
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def _edit_experiment(folder: Path) -> None:
    path = folder / "experiment.toml"
    path.write_text(path.read_text().replace("0.5", "0.6"))


def _no_json(folder: Path) -> None:
    (folder / "run.json").write_text("{")


def _lacks_a_field(folder: Path) -> None:
    record = json.loads((folder / "run.json").read_text())
    del record["kept"]
    (folder / "run.json").write_text(json.dumps(record))


def _other_format(folder: Path) -> None:
    _set(folder, format=1)


def _other_fingerprint(folder: Path) -> None:
    _set(folder, fingerprint="0" * 64)


def _lacks_weights(folder: Path) -> None:
    _set(folder, kept=[0, 1, 2, 3])


def _set(folder: Path, **values: object) -> None:
    record = json.loads((folder / "run.json").read_text())
    (folder / "run.json").write_text(json.dumps(record | values))


def _no_arrays(folder: Path) -> None:
    (folder / "arrays.npz").unlink()


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (_flip_a_byte, r"arrays.npz' is damaged"),
        (_edit_experiment, r"experiment.toml' is damaged"),
        (
            _no_json,
            r"run.json' is damaged: it is not JSON .*; train it again with 'gradparity run'",
        ),
        (_lacks_a_field, "run.json' is damaged: kept: Field required"),
        (
            _other_format,
            "has format 1; this version of gradparity reads format 2: train it again with 'gradparity run'",
        ),
        (_other_fingerprint, "was trained on other data or initial weights"),
        (_lacks_weights, "does not hold what its record says: .*kept/2"),
        (_no_arrays, r"cannot read .*arrays.npz': No such file"),
        (shutil.rmtree, "no run '"),
    ],
)
def test_damage_is_refused(run: Run, tmp_path: Path, damage: object, message: str) -> None:
    folder = store.save(run, tmp_path)
    assert callable(damage)
    damage(folder)
    with pytest.raises(InputError, match=message):
        store.load(folder)


def test_pickled_objects_are_refused(run: Run, tmp_path: Path) -> None:
    folder = store.save(run, tmp_path)
    with np.load(folder / "arrays.npz") as archive:
        arrays = dict(archive)
    arrays["losses"] = np.array([{"a": 1}], dtype=object)
    np.savez(folder / "arrays.npz", **arrays)
    digest = hashlib.sha256((folder / "arrays.npz").read_bytes()).hexdigest()
    record = json.loads((folder / "run.json").read_text())
    _set(folder, sha256=record["sha256"] | {"arrays.npz": digest})
    with pytest.raises(InputError, match="does not hold what its record says"):
        store.load(folder)


def _fill_the_disk(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """From the second file on, the disk is full. Returns the names of those written."""
    written: list[str] = []
    write = Path.write_bytes

    def full_disk(path: Path, content: bytes) -> int:
        if written:
            raise OSError(28, "No space left on device")
        written.append(path.name)
        return write(path, content)

    monkeypatch.setattr(Path, "write_bytes", full_disk)
    return written


def test_a_failed_write_leaves_nothing(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = _fill_the_disk(monkeypatch)
    with pytest.raises(OSError, match="No space left"):
        store.save(run, tmp_path)
    assert written
    assert not list(tmp_path.iterdir())


def test_replacing_files_is_all_or_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files.replace_files(tmp_path, {"a.txt": b"old", "deep/b.txt": b"old"})
    (tmp_path / "theirs.txt").write_bytes(b"stays")
    with monkeypatch.context() as patch:
        _fill_the_disk(patch)
        with pytest.raises(OSError, match="No space left"):
            files.replace_files(tmp_path, {"a.txt": b"new", "deep/b.txt": b"new"})
    assert (tmp_path / "a.txt").read_bytes() == b"old"
    files.replace_files(tmp_path, {"a.txt": b"new", "deep/b.txt": b"new"})
    contents = {
        str(p.relative_to(tmp_path)): p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()
    }
    assert contents == {"a.txt": b"new", "deep/b.txt": b"new", "theirs.txt": b"stays"}


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match=r"cannot write to .*Not a directory|File exists"):
        files.replace_files(tmp_path / "file" / "below", {"a": b""})
    assert os.listdir(tmp_path) == ["file"]


def test_comparison(run: Run) -> None:
    other = runner.run(implementation("torch"), small_experiment())
    result = comparison.compare(run, other)
    assert result.verdict is Verdict.AGREE
    assert result.first_difference is not None
    assert result.distances[0] == 0
    assert 0 < result.distances[150] < 1e-10
    same = comparison.compare(run, run)
    assert same.first_difference is None
    assert not same.loss_differences.any()


def test_runs_of_different_experiments_are_not_compared(run: Run) -> None:
    other = runner.run(implementation("numpy"), small_experiment(epochs=3))
    with pytest.raises(InputError, match="different experiments"):
        comparison.compare(run, other)
