"""Runs on disk: a folder with `run.json`, `arrays.npz` and `experiment.toml`, verified when it is read."""

from __future__ import annotations

import hashlib
import io
import re
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import BaseModel, ConfigDict

from ..contract import Layer, Params, Snapshot, State, Trajectory
from ..errors import InputError
from ..files import RUNS, read_record, write_folder
from ..problem import Problem
from . import experiment as experiments
from .runner import Run

_FORMAT = 2
_JSON, _ARRAYS, _EXPERIMENT = "run.json", "arrays.npz", "experiment.toml"


class _Record(BaseModel):
    """The fields of `run.json`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    format: int = _FORMAT
    experiment: str
    fingerprint: str
    implementation: str
    started: str
    seconds: dict[str, float]
    kept: tuple[int, ...]
    updates: int
    versions: dict[str, str]
    machine: dict[str, str]
    sha256: dict[str, str]


def save(run: Run, folder: Path = RUNS) -> Path:
    """Write `run` to a new folder in `folder`, and return the new folder."""
    trajectory = run.trajectory
    buffer = io.BytesIO()
    np.savez_compressed(buffer, allow_pickle=False, **dict(_to_arrays(run)))
    files = {_ARRAYS: buffer.getvalue(), _EXPERIMENT: run.experiment.to_toml().encode()}
    record = _Record(
        experiment=run.experiment.name,
        fingerprint=run.experiment.fingerprint_of(run.problem),
        implementation=run.implementation,
        started=run.started,
        seconds=dict(run.seconds),
        kept=tuple(trajectory.kept),
        updates=trajectory.final.state.updates,
        versions=dict(run.versions),
        machine=dict(run.machine),
        sha256={name: hashlib.sha256(content).hexdigest() for name, content in files.items()},
    )
    files[_JSON] = (record.model_dump_json(indent=2) + "\n").encode()
    stamp = re.sub(r"[^0-9T]", "", run.started.partition("+")[0])
    implementation = re.sub(r"[^\w.-]", "_", run.implementation)
    return write_folder(folder, f"{run.experiment.name}-{implementation}-{stamp}", files)


def load(path: str | Path, folder: Path = RUNS) -> Run:
    """Read the run in the folder `path`, or of that name in `folder`.

    Raises:
        InputError: there is none, it has another format, it is damaged, or it was trained on other data than this
            machine draws for its experiment.
    """
    run = Path(path)
    if not run.is_dir() and (folder / run).is_dir():
        run = folder / run
    if not run.is_dir():
        raise InputError(f"no run '{path}'; give the folder of a run, or its name in {folder}/")
    found = read_record(run / _JSON, _Record, _FORMAT, "train it again with 'gradparity run'")
    record = _Record(**found)
    contents = {name: _read(run / name) for name in (_ARRAYS, _EXPERIMENT)}
    for name, content in contents.items():
        if hashlib.sha256(content).hexdigest() != record.sha256.get(name):
            raise InputError(f"'{run / name}' is damaged: its SHA-256 is not the recorded one")
    experiment = experiments.parse(
        contents[_EXPERIMENT].decode(), name=record.experiment, source=str(run / _EXPERIMENT)
    )
    problem = experiment.problem()
    if experiment.fingerprint_of(problem) != record.fingerprint:
        raise InputError(
            f"'{run}' was trained on other data or initial weights than this machine draws for the same experiment "
            "(NumPy's generators or gradparity's datasets changed); it cannot be judged here"
        )
    try:
        with np.load(io.BytesIO(contents[_ARRAYS]), allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in archive.files}
        return _from_arrays(arrays, record, experiment, problem)
    except (KeyError, ValueError, zipfile.BadZipFile) as error:
        raise InputError(f"'{run / _ARRAYS}' does not hold what its record says: {error}") from None


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise InputError(f"cannot read '{path}': {error.strerror}") from None


def _to_arrays(run: Run) -> Iterator[tuple[str, Any]]:
    yield "losses", run.trajectory.losses
    yield "final_loss", np.float64(run.trajectory.final_loss)
    yield "predictions", run.predictions
    snapshots = {f"kept/{count}": kept for count, kept in run.trajectory.kept.items()}
    for when, snapshot in {**snapshots, "final": run.trajectory.final}.items():
        groups = {"params": snapshot.params} | {
            f"state/{name}": value for name, value in snapshot.state.arrays.items()
        }
        for group, params in groups.items():
            for index, layer in enumerate(params):
                for tensor, array in zip(Layer._fields, layer, strict=True):
                    if array is not None:
                        yield f"{when}/{group}/{index}/{tensor}", array


def _from_arrays(
    arrays: Mapping[str, np.ndarray],
    record: _Record,
    experiment: experiments.Experiment,
    problem: Problem,
) -> Run:
    def params(prefix: str) -> Params:
        return tuple(
            Layer(
                _expect(arrays, f"{prefix}/{index}/weight", layer.weight),
                None
                if layer.bias is None
                else _expect(arrays, f"{prefix}/{index}/bias", layer.bias),
            )
            for index, layer in enumerate(problem.params)
        )

    def snapshot(when: str, updates: int) -> Snapshot:
        prefix = f"{when}/state/"
        names = sorted(
            {key[len(prefix) :].split("/")[0] for key in arrays if key.startswith(prefix)}
        )
        state = State(updates, {name: params(f"{prefix}{name}") for name in names})
        return Snapshot(params(f"{when}/params"), state)

    losses = _expect(arrays, "losses", np.empty(problem.schedule.updates))
    return Run(
        experiment=experiment,
        problem=problem,
        implementation=record.implementation,
        trajectory=Trajectory(
            losses=losses,
            final_loss=float(_expect(arrays, "final_loss", np.float64())),
            final=snapshot("final", record.updates),
            kept={count: snapshot(f"kept/{count}", count) for count in record.kept},
            compile_seconds=record.seconds["compile"],
        ),
        predictions=_expect(arrays, "predictions", problem.targets),
        seconds=record.seconds,
        versions=record.versions,
        machine=record.machine,
        started=record.started,
    )


def _expect(arrays: Mapping[str, np.ndarray], name: str, like: Any) -> np.ndarray:
    array = arrays[name]
    if array.shape != like.shape or array.dtype != like.dtype:
        raise ValueError(
            f"{name} is {array.shape} {array.dtype}, expected {like.shape} {like.dtype}"
        )
    return array
