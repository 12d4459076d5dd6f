"""A target that hangs, floods, forks or exits harms nobody, and no such end is success."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from gradparity import assert_parity, registry
from gradparity.check.process import check
from gradparity.cli.guard import guarded
from gradparity.errors import ContractError, InputError, TargetRaisedError
from gradparity.processes import ask

from .helpers import SMALL, CommandLine, command, gradparity, informative_case

HEAD = "from gradparity.implementations.impl_numpy import forward, loss_and_grads, train\n"


@pytest.fixture(scope="module")
def judged(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Any]:
    """The report on each of `TARGETS`; they are judged side by side, as those that hang take their time."""
    folder = tmp_path_factory.mktemp("limits")
    for name, text in TARGETS.items():
        (folder / f"{name}.py").write_text(HEAD + text)
    reports = check([str(folder / f"{name}.py") for name in TARGETS], level="quick", timeout=5)
    found = dict(zip(TARGETS, reports, strict=True))
    return lambda name: found[name]


DAEMON = """
import subprocess, sys, time
code = "import time, pathlib\\nfor n in range(300): print(n, flush=True); time.sleep(0.1)"
subprocess.Popen([sys.executable, "-c", code], start_new_session=True)
subprocess.Popen([sys.executable, "-c", code])
"""
# It looks before it deletes: a working folder that is not its own would be somebody else's.
TIDY = """
import pathlib, shutil
above = pathlib.Path.cwd().parent
assert above.name.startswith("gradparity-check-"), above
shutil.rmtree(above)
"""
TARGETS = {
    "busy": "def forward(*a):\n    while True: pass",
    "stubborn": "import signal\nsignal.signal(signal.SIGXCPU, signal.SIG_IGN)\ndef forward(*a):\n    while True: pass",
    "asleep": "import time\ndef forward(*a): time.sleep(99)",
    "flood": "def forward(*a):\n    while True: print('x' * 10_000)",
    "daemon": DAEMON,
    "tidy": TIDY,
    "exit": "import os\ndef forward(*a): os._exit(0)",
    "killed": "import os, signal\ndef forward(*a): os.kill(os.getpid(), signal.SIGSEGV)",
    "late exit": "import atexit, os\natexit.register(os._exit, 0)",
    "hanging end": "import atexit, time\natexit.register(time.sleep, 99)",
    "thread": "import threading, time\nthreading.Thread(target=time.sleep, args=(99,)).start()",
    "garbage": """
import os
for channel in range(3, 256):
    try:
        os.write(channel, b'{"answer": {"a": 3}}\\n')
    except OSError:
        pass
""",
    "json": "import json\njson.dumps = lambda *a, **k: '{}'",
    # No test of ours is skipped here: it is the text of a target that skips, and that must not be taken for a success.
    "skip": "import pytest\ndef forward(*a): pytest.skip('x')",
    "sys.exit": "import sys\ndef train(*a, **k): sys.exit(0)",
    "interrupt": "def train(*a, **k): raise KeyboardInterrupt",
}  # fmt: skip


@pytest.mark.parametrize(
    ("name", "verdict", "says"),
    [
        ("busy", "abstain", "it used more than 5 s of CPU time (--timeout) while it was being judged"),
        ("stubborn", "abstain", "its process was ended by SIGKILL while it was being judged"),
        ("asleep", "abstain", "it waited for more than 5 s (--timeout) while it was being judged"),
        # Whichever limit it reaches first: it waits for the one who reads what it prints.
        ("flood", "abstain", "more than 5 s"),
        ("daemon", "agree", "right"),
        ("tidy", "agree", "right"),
        ("exit", "abstain", "its process ended (status 0) while it was being judged"),
        ("killed", "abstain", "its process was ended by SIGSEGV"),
        ("late exit", "agree", "right"),
        ("hanging end", "agree", "right"),
        ("thread", "agree", "right"),
        ("garbage", "abstain", "its process gave no report"),
        ("json", "agree", "right"),
        ("skip", "abstain", "in forward: Skipped: x"),
        ("sys.exit", "abstain", "in train: SystemExit: 0"),
        ("interrupt", "abstain", "in train: KeyboardInterrupt"),
    ],
)  # fmt: skip
def test_each_gets_a_verdict(
    judged: Callable[[str], Any], name: str, verdict: str, says: str
) -> None:
    report = judged(name)
    assert (report.verdict, says in report.headline) == (verdict, True), report.headline
    assert len(report.output) <= 2000


def test_nothing_that_a_target_started_is_left(judged: Callable[[str], Any]) -> None:
    judged("daemon")
    running = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True)
    assert "for n in range(300): print" not in running.stdout


def test_a_busy_machine_changes_no_verdict(tmp_path: Path) -> None:
    """Six times as many at once as there are cores, each within a limit that it would miss by the clock."""
    (tmp_path / "right.py").write_text(HEAD)
    path = str(tmp_path / "right.py")
    many = 6 * (os.cpu_count() or 1)
    with ThreadPoolExecutor(many) as pool:
        reports = list(
            pool.map(lambda _: next(check([path], level="quick", timeout=5)), range(many))
        )
    assert [report.verdict for report in reports] == ["agree"] * many, reports[0].headline


# --- commands that call a target in their own process --------------------------------------------------------------

ENDS = {
    "os._exit(0)": "an implementation ended",
    "os._exit(1)": "an implementation ended",
    "sys.exit(0)": "in train: SystemExit: 0",
    "raise KeyboardInterrupt": "in train: KeyboardInterrupt",
    "__import__('pytest').skip('x')": "in train: Skipped: x",
}


@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("subcommand", ["run", "report"])
def test_a_command_whose_target_ends_it_is_no_success(
    tmp_path: Path, end: str, subcommand: str
) -> None:
    (tmp_path / "small.toml").write_text(SMALL)
    (tmp_path / "ends.py").write_text(f"{HEAD}import os, sys\ndef train(*a, **k): {end}\n")
    out = ["--runs", "runs"] if subcommand == "run" else ["--out", "out"]
    done = gradparity(subcommand, "small.toml", "--impl", "ends.py", *out, cwd=tmp_path)
    assert done.returncode == 2, done.stderr
    assert ENDS[end] in done.stderr
    assert "Traceback" not in done.stderr


GUARDED = """
import os, sys, time
from gradparity.cli.guard import guarded
guarded(lambda: {body})
"""


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ("sys.exit(0)", 0), ("sys.exit(3)", 3), ("None", 0), ("sys.exit('why')", 1), ("1 / 0", 1), ("os._exit(0)", 2),
        ("os.kill(os.getpid(), 9)", -9), ("[__import__('atexit').register(os._exit, 0), sys.exit(1)]", 1),
    ],
)  # fmt: skip
def test_the_guard_ends_as_the_command_does(body: str, status: int) -> None:
    assert command("-c", GUARDED.format(body=body)).returncode == status


def test_an_interrupt_and_a_termination_reach_the_command(tmp_path: Path) -> None:
    body = "[print('ready', flush=True), time.sleep(60)]"
    for number, statuses in (
        (signal.SIGINT, {1, -signal.SIGINT}),
        (signal.SIGTERM, {-signal.SIGTERM}),
    ):
        with subprocess.Popen(
            [sys.executable, "-c", GUARDED.format(body=body)],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        ) as process:
            assert process.stdout is not None
            process.stdout.readline()
            if number == signal.SIGINT:
                os.killpg(process.pid, number)  # as a terminal does
            else:
                process.send_signal(number)
            assert process.wait(20) in statuses


def test_without_fork_the_command_runs_in_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "fork")
    ran: list[int] = []
    guarded(lambda: ran.append(os.getpid()))
    assert ran == [os.getpid()]


# --- pytest --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("end", ENDS)
def test_no_end_of_a_target_is_a_green_test(tmp_path: Path, end: str) -> None:
    (tmp_path / "ends.py").write_text(f"{HEAD}import os, sys\ndef forward(*a, **k): {end}\n")
    suite = command(
        "-m", "pytest", "-q", "-p", "no:cacheprovider", "--gradparity", "ends.py", cwd=tmp_path
    )
    assert suite.returncode == 1, suite.stdout
    assert " passed" not in suite.stdout
    assert "skipped" not in suite.stdout
    with pytest.raises(AssertionError, match="not judged"):
        assert_parity(str(tmp_path / "ends.py"))


def test_a_real_interrupt_is_not_taken_for_the_targets(tmp_path: Path) -> None:
    (tmp_path / "program.py").write_text(
        f"{HEAD}import os, signal, time\ndef forward(*a):\n    os.kill(os.getpid(), signal.SIGINT)\n    time.sleep(9)\n"
    )
    target = registry.load(str(tmp_path / "program.py"))
    case = informative_case("float64")
    begun = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        target.forward(case.network, case.params, case.inputs)
    assert time.monotonic() - begun < 5
    (tmp_path / "program.py").write_text(f"{HEAD}def forward(*a): raise KeyboardInterrupt\n")
    with pytest.raises(TargetRaisedError, match="in forward: KeyboardInterrupt"):
        registry.load(str(tmp_path / "program.py")).forward(case.network, case.params, case.inputs)


# --- names ---------------------------------------------------------------------------------------------------------


def test_two_of_one_name_are_refused(tmp_path: Path, cli: CommandLine) -> None:
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "net.py").write_text(HEAD)
        (tmp_path / folder / "same.toml").write_text(SMALL)
    nets = [str(tmp_path / folder / "net.py") for folder in ("a", "b")]
    tomls = [str(tmp_path / folder / "same.toml") for folder in ("a", "b")]
    out = tmp_path / "out"
    for arguments in (
        ["report", tomls[0], "--impl", nets[0], "--impl", nets[1], "--out", out],
        ["random-networks", "--impl", nets[0], "--impl", nets[1], "--campaigns", out],
        ["study", "--impl", nets[0], "--impl", nets[1], "--campaigns", out],
    ):
        refused = cli(*arguments)
        assert refused.returncode == 2
        assert f"'{nets[0]}' and '{nets[1]}' are both called 'net'" in refused.stderr
    refused = cli("report", *tomls, "--impl", "numpy", "--out", out)
    assert refused.returncode == 2
    assert "are both called 'same'" in refused.stderr
    assert not out.exists()
    assert [one.title.partition(": ")[0] for one in check(nets, level="quick")] == nets


def test_two_files_of_one_name_are_two_modules(tmp_path: Path) -> None:
    for number in (1, 2):
        (tmp_path / str(number)).mkdir()
        (tmp_path / str(number) / "net.py").write_text(f"number = {number}")
    modules = [registry.find(str(tmp_path / str(number) / "net.py")) for number in (1, 2)]
    assert [sys.modules[module.__name__].number for module in modules] == [1, 2]


def test_a_worker_that_ends_early_has_not_answered() -> None:
    with pytest.raises(InputError, match="ended before it had answered"):
        ask("this", 1)


# --- garbage -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ("kept=None", "must return kept by update counts; it returned NoneType"),
        ("final=None", "must return final as a Snapshot"),
        ("final=(1, 2)", "must return final's state as a State"),
        ("losses='abc'", "must return .* losses in float64"),
        ("losses=None", "must return .* losses in float64"),
        ("compile_seconds=None", "must return compile_seconds as a number"),
        ("final_loss=None", "must return final_loss as a float"),
        ("kept={'a': 1, 2: 3}", "train returned something that cannot be read"),
    ],
)
def test_a_trajectory_of_garbage_is_named(tmp_path: Path, change: str, says: str) -> None:
    (tmp_path / "program.py").write_text(
        f"{HEAD}import dataclasses\nright = train\n"
        f"def train(*a, **k): return dataclasses.replace(right(*a, **k), {change})\n"
    )
    case = informative_case("float64")
    target = registry.load(str(tmp_path / "program.py"))
    with pytest.raises(ContractError, match=says) as error:
        target.train(case.network, case.params, case.inputs, case.targets, case.schedule)
    assert not isinstance(error.value, TargetRaisedError)
