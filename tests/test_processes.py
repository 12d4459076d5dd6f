"""Where results are computed: threads, workers, chunks of work, and the description of the machine."""

from __future__ import annotations

import json
import os
import warnings
from pathlib import Path

import numpy as np
import pytest
from threadpoolctl import threadpool_info, threadpool_limits

from gradparity import machine
from gradparity.errors import InputError
from gradparity.processes import ONE_THREAD, ask, in_chunks, one_quiet_thread, stamp

from .helpers import InThisProcess

WORKER = """
import os
from gradparity.processes import answer

def work(question):
    print("begun", flush=True)
    if question == "fail":
        raise ValueError("no such question")
    return [question, os.environ["OMP_NUM_THREADS"], os.environ["MORE"]]

if __name__ == "__main__":
    answer(work)
"""


@pytest.fixture
def worker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    (tmp_path / "some_worker.py").write_text(WORKER)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    return "some_worker"


def test_one_quiet_thread() -> None:
    def threads() -> set[int]:
        return {pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"}

    with threadpool_limits(limits=2), warnings.catch_warnings():
        warnings.simplefilter("error")
        assert threads() == {min(2, os.cpu_count() or 1)}
        with one_quiet_thread():
            assert threads() == {1}
            assert np.isnan(np.log(np.float64(-1)) + np.float64(1e308) * 10 + 1 / np.float64(0))
        assert threads() == {min(2, os.cpu_count() or 1)}
        with pytest.raises(RuntimeWarning):
            np.log(np.float64(-1))


def test_a_worker_answers_on_one_thread(worker: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ONE_THREAD:
        monkeypatch.setenv(name, "7")
    printed: list[str] = []
    question = {"σ": [1, None, 0.1]}
    assert ask(worker, question, {"MORE": "more"}, printed.append) == [question, "1", "more"]
    assert printed == ["begun"]


def test_a_worker_that_fails_is_named(worker: str) -> None:
    with pytest.raises(
        InputError,
        match="the process of some_worker ended with status 1: ValueError: no such question",
    ):
        ask(worker, "fail")


def test_chunks_are_in_order_and_whole() -> None:
    def work(factor: int, numbers: range) -> list[int]:
        return [factor * number for number in numbers]

    found = list(in_chunks(work, 5, 10, chunk=2, executor=InThisProcess))
    assert found == [(range(2), [0, 10]), (range(2, 4), [20, 30]), (range(4, 5), [40])]


@pytest.mark.parametrize(
    ("text", "instructions"),
    [
        ("model name\t: A\nflags\t\t: fpu sse2 avx avx2 fma avx512f\n", "FMA, AVX2, AVX-512"),
        ("model name\t: B\nflags\t\t: fpu sse2 avx\n", "not known"),
        ("processor\t: 0\nFeatures\t: fp asimd\n", "NEON"),
    ],
)
def test_instructions_are_those_of_the_processor(
    text: str, instructions: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(machine, "_CPUINFO", tmp_path / "cpuinfo")
    assert machine.machine()["instructions"] == "not known"  # another system than Linux
    (tmp_path / "cpuinfo").write_text(text)
    assert machine.machine()["instructions"] == instructions
    assert json.loads(json.dumps(stamp()))["machine"]["instructions"] == instructions
