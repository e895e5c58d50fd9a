"""Run the quick profile and the contract tests over a pairwise cover of instruction set, torch and threads.

    make matrix                            # cells without a row in docs/machines.md; about two hours on two cores
    make matrix CELLS="avx2-today-2"       # only these cells, even if they have a row
    python benchmarks/matrix.py --short    # the part for continuous integration; about one minute

Each pair of values of two settings occurs in one of the six cells. An instruction set below the CPU's is emulated:
``ONEDNN_MAX_CPU_ISA`` caps oneDNN and ``ATEN_CPU_CAPABILITY`` caps torch. A row is written to docs/machines.md when its cell ends, so an
interrupted matrix can be resumed.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import subprocess
import sys
import tempfile
import time
import venv
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "machines.md"
OLDEST = {"torch": "2.11.0", "torchvision": "0.26.0"}
"""Oldest versions that pyproject.toml allows."""
ENVIRONMENT = ROOT / ".matrix"
TIMEOUT = 3600
"""Maximum seconds of the quick profile, and of the contract tests, of a cell."""
HEAD = (
    "| cell | date | commit | processor | instruction set | torch, oneDNN | threads | quick: trials | contract: tests | seconds |\n"
    "|--|--|--|--|--|--|--|--|--|--|\n"
)
SHORT_TESTS = "TrainOneEpoch or TrainFullSchedule or MeasureUpdate or TrainClassifier or TrainNetwork or FitCandidates"
CONTRACT = ("tests/test_contract.py", "tests/test_trials.py")


@dataclass(frozen=True)
class Cell:
    """A combination of settings; ``torch`` is "today" (this environment) or "oldest"."""

    instruction_set: str
    torch: str
    threads: int

    @property
    def name(self) -> str:
        """Name on the command line."""
        return f"{self.instruction_set or 'default'}-{self.torch}-{self.threads}".lower()


CELLS = [
    Cell("AVX2", "today", 2),
    Cell("AVX2", "oldest", 1),
    Cell("SSE41", "today", 1),
    Cell("SSE41", "oldest", 2),
    Cell("", "today", 1),
    Cell("", "oldest", 2),
]


def main() -> int:
    """Run the requested cells. Return 1 if anything failed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cells", nargs="*", help="Names of cells. Default: cells without a row in docs/machines.md.")
    parser.add_argument("--short", action="store_true", help="Run the part for continuous integration, and write nothing.")
    parser.add_argument("--myth", default="", help="Run only this myth, and print the row instead of writing it.")
    parser.add_argument("--list", action="store_true", help="List the cells.")
    options = parser.parse_args()
    by_name = {cell.name: cell for cell in CELLS}
    if unknown := set(options.cells) - set(by_name):
        parser.error(f"unknown cell {', '.join(sorted(unknown))}; available: {', '.join(by_name)}")
    if options.list:
        print("\n".join(by_name))
        return 0
    if options.short:
        return short()
    written = rows()
    failed = False
    for cell in [by_name[name] for name in options.cells] or [cell for cell in CELLS if cell.name not in written]:
        print(f"{cell.name} …", flush=True)
        row, passed = run(cell, options.myth)
        if not options.myth:
            write(cell.name, row)
        print(row, flush=True)
        failed |= not passed
    return int(failed)


def short() -> int:
    """Run quick trials of fixup, and the test instances that train networks, under AVX2, for which oneDNN has a known bug."""
    variables = settings(Cell("AVX2", "today", 1))
    digits = ["dataset=digits", "width=4", "batch_size=32", "epochs=2", "augmentation=none", "depth=10"]
    commands = [["-m", "myths", "try", "fixup", "TrainOneEpoch", *digits, f"method={method}"] for method in ("fixup", "batch-norm")]
    commands.append(["-m", "pytest", "-q", "tests/test_trials.py", "-k", SHORT_TESTS])

    def status(command: list[str]) -> int:
        return subprocess.run([sys.executable, *command], cwd=ROOT, env=variables, timeout=300, check=False).returncode

    with ThreadPoolExecutor() as side_by_side:  # each command has one thread
        return int(any(list(side_by_side.map(status, commands))))


def run(cell: Cell, myth: str = "") -> tuple[str, bool]:
    """Run a cell. Return its row of the table, and whether everything passed."""
    python = sys.executable if cell.torch == "today" else oldest()
    variables = settings(cell)
    start = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        trials = quick(python, variables, Path(folder), myth)
        tests = contract(python, variables, Path(folder), myth)
    seconds = time.monotonic() - start
    passed = all(text.startswith("all ") for text in (trials, tests))
    columns = [cell.name, f"{datetime.now(UTC):%Y-%m-%d}", commit(), *machine(python, variables), str(cell.threads), trials, tests]
    return f"| {' | '.join([*columns, f'{seconds:.0f}'])} |", passed


def settings(cell: Cell) -> dict[str, str]:
    """Return the environment variables of a cell, without those of the caller that would change it."""
    sys.path.insert(0, str(ROOT))
    from myths.lab.measurement.kernels import environment

    variables = {k: v for k, v in os.environ.items() if k not in ("ONEDNN_MAX_CPU_ISA", "ATEN_CPU_CAPABILITY", "PYTHONPATH")}
    threads = {name: str(cell.threads) for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")}
    return variables | threads | environment(cell.instruction_set) | {"PYTHONPATH": str(ROOT)}


def quick(python: str, variables: dict[str, str], folder: Path, myth: str) -> str:
    """Run the quick profile. Return how many trials passed, as "all 301", or which failed."""
    command = [
        python,
        "-m",
        "myths",
        "run",
        *filter(None, [myth]),
        "--profile",
        "quick",
        "--results",
        str(folder / "results"),
        "--run",
        "matrix",
    ]
    status = _status(command, variables)
    lines = [line for file in folder.rglob("trials.jsonl") for line in file.read_text(encoding="utf-8").splitlines()]
    last = {record["id"]: record for record in map(json.loads, lines)}.values()
    failed = [record["trial"] for record in last if record["status"] != "ok"]
    return _counted(len(last), failed, status)


def contract(python: str, variables: dict[str, str], folder: Path, myth: str) -> str:
    """Run the contract tests. Return how many passed, as "all 250", or which failed."""
    from xml.etree import ElementTree as ET

    report = folder / "contract.xml"
    status = _status([python, "-m", "pytest", "-q", *CONTRACT, "-k", myth, f"--junit-xml={report}"], variables)
    cases = list(ET.parse(report).getroot().iter("testcase")) if report.exists() else []
    ran = [case for case in cases if case.find("skipped") is None]
    failed = [case.get("name", "") for case in ran if case.find("failure") is not None or case.find("error") is not None]
    return _counted(len(ran), failed, status)


def _counted(total: int, failed: list[str], status: str) -> str:
    if failed:
        return f"{len(failed)} of {total} failed: {', '.join(list(dict.fromkeys(failed))[:5])}"
    return f"all {total}" if status == "exit 0" and total else f"{total} passed, then {status}"


def _status(command: list[str], variables: dict[str, str]) -> str:
    try:
        code = subprocess.run(command, cwd=ROOT, env=variables, timeout=TIMEOUT, check=False).returncode
    except subprocess.TimeoutExpired:
        return f"ended after {TIMEOUT} s"
    return f"exit {code}"


def oldest() -> str:
    """Return the interpreter of an environment with the oldest torch. Create the environment if it does not exist."""
    python = ENVIRONMENT / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    ready = ENVIRONMENT / "ready"
    if not ready.exists():
        venv.create(ENVIRONMENT, with_pip=True, clear=True)
        # Other packages have today's versions, except those that torch requires.
        own = re.compile(r"(torch|torchvision|triton|nvidia[-_].*|cuda[-_].*|setuptools|sympy|fsspec|filelock|networkx)==", re.IGNORECASE)
        kept = [line for line in (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines() if not own.match(line)]
        constraints = ENVIRONMENT / "constraints.txt"
        constraints.write_text("\n".join([*kept, *(f"{name}=={version}" for name, version in OLDEST.items())]) + "\n", encoding="utf-8")
        subprocess.run([python, "-m", "pip", "install", "--quiet", "--constraint", constraints, "--editable", f"{ROOT}[test]"], check=True)
        ready.touch()
    return str(python)


def machine(python: str, variables: dict[str, str]) -> list[str]:
    """Return processor, instruction set and versions, as reported by the interpreter of a cell."""
    code = (
        "import json; from myths.lab.measurement import kernels; from myths.lab.storage import provenance; import torch;"
        "m = provenance.machine('cpu');"
        "print(json.dumps([m['cpu'], m['instruction_set'], torch.__version__.split('+')[0], m['onednn'], kernels.available()[-1:]]))"
    )
    done = subprocess.run([python, "-c", code], cwd=ROOT, env=variables, capture_output=True, text=True, check=True)
    cpu, used, torch, onednn, newest = json.loads(done.stdout.splitlines()[-1])
    emulated = " (emulated)" if [used] != newest else ""
    return [f"{cpu}, {platform.system()}", f"{used}{emulated}", f"{torch}, {onednn}"]


def commit() -> str:
    """Return the short commit, with a plus if a file other than docs/machines.md was changed."""
    head = subprocess.run(["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.strip()
    changed = subprocess.run(
        ["git", "status", "--porcelain", "--untracked-files=no", "--", ".", f":!{PAGE.relative_to(ROOT).as_posix()}"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return head + ("+" if changed.stdout.strip() else "")


def rows() -> dict[str, str]:
    """Return the rows of the table, by cell."""
    names = {cell.name for cell in CELLS}
    lines = PAGE.read_text(encoding="utf-8").splitlines()
    return {words[1].strip(): line for line in lines if len(words := line.split("|")) > 2 and words[1].strip() in names}


def write(name: str, row: str) -> None:
    """Insert or replace a row of the table, in the order of the cells."""
    table = rows() | {name: row}
    body = HEAD + "".join(table[cell.name] + "\n" for cell in CELLS if cell.name in table)
    before, rest = PAGE.read_text(encoding="utf-8").split("<!-- matrix -->\n")
    after = rest.split("<!-- end of matrix -->")[1]
    PAGE.write_text(f"{before}<!-- matrix -->\n{body}<!-- end of matrix -->{after}", encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
