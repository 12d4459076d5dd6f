"""Judge every program of `mistakes` as `gradparity check` does: the shares of right lines, and the wrong ones."""

import contextlib
import io
import tempfile
from collections import Counter
from pathlib import Path

from gradparity.check.examine import examine
from gradparity.check.loading import load

from .mistakes import MISTAKES

HERE = Path(__file__).parent


def main() -> None:
    tally = Counter()
    for name, right, wrong in MISTAKES:
        source = (HERE / f"{name}.py").read_text()
        line = source[: source.index(right)].count("\n") + 1
        with tempfile.TemporaryDirectory() as folder:
            changed = Path(folder) / f"{name}.py"
            changed.write_text(source.replace(right, wrong))
            with contextlib.redirect_stdout(io.StringIO()):
                target = load(str(changed), str(HERE / f"{name}_adapter.py"))
                report = examine(target, level="quick")
        found = {one["line"] for one in report.lines}
        kind = (
            "none"
            if not found
            else "right"
            if found == {line}
            else "one of several"
            if line in found
            else "wrong"
        )
        tally[kind] += 1
        print(f"{kind:15s}{name}:{line}: {wrong}", flush=True)
        for one in report.lines:
            print(f"{'':15s}  {one['line']}: {one['change']}")
    print(dict(tally))
    for name in sorted({name for name, _, _ in MISTAKES}):
        with contextlib.redirect_stdout(io.StringIO()):
            report = examine(
                load(str(HERE / f"{name}.py"), str(HERE / f"{name}_adapter.py")), level="quick"
            )
        print(f"{name}: {report.verdict}, {len(report.lines)} lines")


if __name__ == "__main__":
    main()
