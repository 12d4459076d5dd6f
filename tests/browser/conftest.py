"""A report with everything in it, and Debian's Chromium to open it in."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Dialog, Page, sync_playwright

from gradparity.experiments import experiment
from gradparity.report.page import build
from gradparity.verdict.judge import Verdict

from ..helpers import ROOT

HOSTILE = "<script>alert(1)"


@dataclass
class View:
    """The page in a window, and what it did there that it should not."""

    page: Page
    wrong: list[str] = field(default_factory=list)


@pytest.fixture(scope="session")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two short experiments in three implementations, one of a hostile name, and all campaigns."""
    folder = tmp_path_factory.mktemp("report")
    (folder / f"{HOSTILE}.py").write_text("from gradparity.implementations.impl_jax import *\n")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        chosen = [_short("xor"), _short("linear-no-activation")]
        targets = ["numpy", "torch", f"{HOSTILE}.py"]
        assert build(chosen, targets, folder, ROOT / "reports" / "campaigns") is Verdict.AGREE
    return folder / "index.html"


def _short(name: str) -> experiment.Experiment:
    one = experiment.load(name)
    return one.model_copy(update={"training": one.training.model_copy(update={"epochs": 60})})


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    path = shutil.which("chromium")
    assert path, "no chromium: `make browser` tells how to install it"
    with sync_playwright() as playwright:
        # No sandbox: it cannot be had by root in a container, and the page is our own.
        started = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield started
        started.close()


@pytest.fixture(scope="session")
def opened(browser: Browser) -> Callable[..., Any]:
    """Open a file in a window of its own; `wrong` collects errors, messages, dialogs and requests."""

    @contextmanager
    def open_file(file: Path, width: int = 1440, scheme: Any = "light") -> Iterator[View]:
        page = browser.new_page(
            viewport={"width": width, "height": 900}, color_scheme=scheme, reduced_motion="reduce"
        )
        view = View(page)
        url = file.as_uri()
        note = view.wrong.append

        def dismiss(dialog: Dialog) -> None:  # the page waits for it
            note(f"dialog: {dialog.message}")
            dialog.dismiss()

        page.on("console", lambda message: note(f"console: {message.text}"))
        page.on("pageerror", lambda error: note(f"error: {error}"))
        page.on("dialog", dismiss)
        page.on("request", lambda request: note(f"request: {request.url}"))
        page.goto(url)
        assert view.wrong.pop(0) == f"request: {url}"
        yield view
        page.close()

    return open_file
