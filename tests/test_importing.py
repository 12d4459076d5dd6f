"""A file that fails, trains or hangs when it is imported is judged by what it defines."""

from __future__ import annotations

import dataclasses
import inspect
import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from gradparity import registry
from gradparity.check.examine import examine
from gradparity.check.importing import import_file
from gradparity.check.loading import load
from gradparity.check.process import check
from gradparity.errors import InputError, TargetImportError

RIGHT = """
from gradparity.implementations import impl_numpy
from gradparity.implementations.impl_numpy import forward, train
def loss_and_grads(*arguments):
    return impl_numpy.loss_and_grads(*arguments)
"""


def failures(folder: Path, text: str, patience: float | None = None) -> list[str]:
    path = folder / "program.py"
    path.write_text(text)
    return import_file(str(path), patience)[1]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("import no_such_module as m", ["line 1 raised ModuleNotFoundError: No module named 'no_such_module'"]),
        ("x = 1\nopen('no.csv')", ["line 2 raised FileNotFoundError: [Errno 2] No such file or directory: 'no.csv'"]),
        ("def f():\n    raise ValueError('no')\nf()", ["line 3 raised ValueError: no (program.py:2, in f)"]),
        ("raise SystemExit(0)", ["line 1 raised SystemExit: 0"]),
        ("raise KeyboardInterrupt", ["line 1 raised KeyboardInterrupt"]),
        ("x = 1 / 0\ny = x\nprint(y)\nz = nowhere", ["line 1 raised ZeroDivisionError: division by zero",
                                                     "line 4 raised NameError: name 'nowhere' is not defined"]),
        ("from no_such import plot\nplot.show()\nx = plot(1)\ny = x",
         ["line 1 raised ModuleNotFoundError: No module named 'no_such'"]),
        ("\n".join(["1 / 0"] * 9), [*(f"line {n} raised ZeroDivisionError: division by zero" for n in range(1, 6)),
                                     "4 more statements failed"]),
        ("try:\n    import no_such\nexcept ImportError:\n    no_such = None\nassert no_such is None", []),
    ],
)  # fmt: skip
def test_what_failed_is_told_once(tmp_path: Path, text: str, told: list[str]) -> None:
    assert failures(tmp_path, text) == told


LOOPS = ["while True:\n    pass", "while True:\n    try:\n        n = 1\n    except:\n        pass"]


@pytest.mark.parametrize("loop", LOOPS)
def test_a_loop_is_stopped_and_the_next_one_sooner(tmp_path: Path, loop: str) -> None:
    assert failures(tmp_path, f"{loop}\n{loop}\nx = 1", patience=0.4) == [
        "line 1, a loop, was stopped after 0.4 s of CPU time",
        f"line {1 + len(loop.splitlines())}, a loop, was stopped after 0.2 s of CPU time",
    ]


def test_a_training_at_import_is_stopped_whatever_it_catches(tmp_path: Path) -> None:
    body = "while True:\n        try:\n            n = sum(range(99))\n        except Exception:\n            pass"
    text = f"def train():\n    {body}\ntrain()"
    assert failures(tmp_path, text, patience=0.3) == [
        "line 7, train(), was stopped after 0.3 s of CPU time"
    ]


def test_what_stands_before_and_after_is_judged(tmp_path: Path) -> None:
    path = tmp_path / "program.py"
    head = "from __future__ import annotations\nimport no_such\nimport sys\ndata = open('no.csv')\n"
    tail = "import argparse\nargparse.ArgumentParser().parse_args()\nsys.exit()\n"
    path.write_text(f"{head}while True: pass{RIGHT}{tail}")
    (report,) = check([str(path)], level="quick", timeout=20)
    assert report.verdict == "agree", report.headline
    assert [note.partition(":")[0] for note in report.notes] == [
        "line 2 raised ModuleNotFoundError",
        "line 4 raised FileNotFoundError",
        "line 5, a loop, was stopped after 3.33333 s of CPU time",
        "line 12 raised SystemExit",
    ]


def test_what_is_defined_nowhere_tells_what_raised(tmp_path: Path) -> None:
    path = tmp_path / "program.py"
    path.write_text(
        "import no_such\nclass Model(no_such.Model):\n    pass\nfrom no_such import forward\n"
    )
    for name in (str(path), f"{path}:Model", f"{path}:no_such"):
        with pytest.raises(TargetImportError, match="line 1 raised ModuleNotFoundError"):
            load(name)


def test_a_stand_in_says_what_is_missing_when_it_is_used(tmp_path: Path) -> None:
    path = tmp_path / "program.py"
    path.write_text(
        f"{RIGHT}from no_such import factor\ndef loss_and_grads(*a): return factor(a)\n"
    )
    report = examine(load(str(path)), level="quick")
    assert report.verdict == "abstain"
    assert (
        "program.py:7, in loss_and_grads: NotImportedError: factor cannot be used"
        in report.headline
    )


def test_introspection_works_on_what_was_imported_so(tmp_path: Path) -> None:
    path = tmp_path / "program.py"
    source = "def f(x: Nothing):\n    return x\n"
    path.write_text(
        f"'''About it.'''\nfrom __future__ import annotations\nfrom dataclasses import dataclass\n{source}"
        "@dataclass\nclass D:\n    a: int = 1\n"
    )
    module, failed = import_file(str(path))
    assert (failed, module.__doc__) == ([], "About it.")
    assert inspect.getsource(module.f) == source
    assert dataclasses.asdict(module.D()) == {"a": 1}


def test_an_adapter_that_fails_is_bad_input(tmp_path: Path) -> None:
    (tmp_path / "adapter.py").write_text(f"{RIGHT}1 / 0")
    with pytest.raises(InputError, match=r"the adapter .* line 6 raised ZeroDivisionError"):
        load("numpy", str(tmp_path / "adapter.py"))


def test_run_still_fails_loudly(tmp_path: Path) -> None:
    (tmp_path / "program.py").write_text(f"{RIGHT}1 / 0")
    with pytest.raises(InputError, match=r"program.py:6: ZeroDivisionError"):
        registry.load(str(tmp_path / "program.py"))


# --- modules next to the file --------------------------------------------------------------------------------------


def test_siblings_are_found_last_and_imported_in_the_same_way(tmp_path: Path) -> None:
    for name in ("random", "json", "numpy", "typing"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit('I am a submission')")
    (tmp_path / "my_slopes.py").write_text(
        "import no_such\nimport math\nhalf = math.sqrt(0.25)\n1 / 0\n"
    )
    (tmp_path / "program.py").write_text(
        f"{RIGHT}from my_slopes import half\nimport random\nrandom.random()\nassert half == 0.5\n"
    )
    report, again = check([str(tmp_path / "program.py")] * 2, level="quick")
    assert (report.verdict, again.verdict) == ("agree", "agree"), report.headline
    assert [note.partition(":")[0] for note in report.notes] == [
        "my_slopes.py, line 1 raised ModuleNotFoundError",
        "my_slopes.py, line 4 raised ZeroDivisionError",
    ]


def test_a_python_file_in_the_users_folder_does_not_replace_pythons_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "random.py").write_text("raise SystemExit('I am a submission')")
    (tmp_path / "program.py").write_text(RIGHT)
    monkeypatch.chdir(tmp_path)
    (report,) = check(["program.py"], level="quick")
    assert report.verdict == "agree", report.headline


# --- notebooks -----------------------------------------------------------------------------------------------------


def notebook(path: Path, *cells: str | Sequence[str]) -> str:
    made = [{"cell_type": "code", "source": cell} for cell in cells]
    path.write_text(json.dumps({"cells": [{"cell_type": "markdown", "source": "# Title"}, *made]}))
    return str(path)


MAGIC = "%matplotlib inline\n!pip install it\nnames = !ls\nforward?\nx = (7\n % 4)\nif x:\n    %time\n    z = 2\n"


def test_a_notebook_is_judged(tmp_path: Path) -> None:
    book = notebook(
        tmp_path / "work.ipynb",
        MAGIC,
        ["%%bash\n", "exit 1"],
        f"%%time{RIGHT}",
        "assert z == 2\nassert x == 3\n1 / 0",
        "def broken(:",
    )
    report = examine(load(book), level="quick")
    assert report.verdict == "agree", report.headline
    assert [note.partition(":")[0] for note in report.notes] == [
        "cell 5, line 3 raised ZeroDivisionError",
        "cell 6, line 1 raised SyntaxError",
    ]


def test_a_notebook_is_an_implementation_and_tells_its_cells(tmp_path: Path) -> None:
    text = f"{RIGHT}def forward(*_):\n    raise ValueError('no')"
    guarded = registry.load(notebook(tmp_path / "work.ipynb", "%magic", text))
    assert guarded.name == "work"
    report = examine(load(str(tmp_path / "work.ipynb")), level="quick")
    assert (
        "forward raised at work.ipynb, cell 3, line 7, in forward: ValueError: no"
        in report.headline
    )
    assert "raise ValueError('no')" in report.traceback
    with pytest.raises(InputError, match=r"work.ipynb, cell 2, line 1: ZeroDivisionError"):
        registry.load(notebook(tmp_path / "work.ipynb", "1 / 0"))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        '{"cells": 3}',
        '{"cells": [3]}',
        '{"cells": [{"cell_type": "code", "source": 1}]}',
    ],
)
def test_what_is_no_notebook(tmp_path: Path, text: str) -> None:
    (tmp_path / "work.ipynb").write_text(text)
    for find in (load, registry.load):
        with pytest.raises(TargetImportError, match="it is not a notebook"):
            find(str(tmp_path / "work.ipynb"))
