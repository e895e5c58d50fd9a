"""Run the quick profile and the contract tests over a pairwise cover of instruction set, torch and threads.

    make matrix                        every cell that docs/machines.md has no line for; some two hours of two cores
    make matrix CELLS="avx2-today-2"   these cells, again if need be
    python benchmarks/matrix.py --short    the part that continuous integration runs: about a minute

Each pair of two settings is in one of the six cells. An instruction set below the CPU's is emulated: ``ONEDNN_MAX_CPU_ISA`` caps oneDNN
and ``ATEN_CPU_CAPABILITY`` caps torch. The line of a cell is written to docs/machines.md when it ends, so an interrupted matrix goes on.
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
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "machines.md"
OLDEST = {"torch": "2.11.0", "torchvision": "0.26.0"}
"""The oldest that pyproject.toml admits."""
ENVIRONMENT = ROOT / ".matrix"
SECONDS = 3600
"""A cell's half that takes longer has hung."""
HEAD = (
    "| cell | date | commit | processor | instruction set | torch, oneDNN | threads | quick: trials | contract: tests | seconds |\n"
    "|--|--|--|--|--|--|--|--|--|--|\n"
)
SHORT_TESTS = "tiny_trials and (TrainOneEpoch or TrainFullSchedule or MeasureUpdate or TrainClassifier or TrainNetwork or FitCandidates)"


@dataclass(frozen=True)
class Cell:
    """One combination; ``torch`` is "today" (this environment's) or "oldest"."""

    instruction_set: str
    torch: str
    threads: int

    @property
    def name(self) -> str:
        """As on the command line."""
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
    """Run the cells asked for. Return 1 when anything failed in one of them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cells", nargs="*", help="names of cells; by default those that docs/machines.md has no line for")
    parser.add_argument("--short", action="store_true", help="the part that continuous integration runs; writes nothing")
    parser.add_argument("--myth", default="", help="only this myth, and only print the line: the table is of whole cells")
    parser.add_argument("--list", action="store_true", help="only list the cells")
    options = parser.parse_args()
    by_name = {cell.name: cell for cell in CELLS}
    if unknown := set(options.cells) - set(by_name):
        parser.error(f"there is no cell {', '.join(sorted(unknown))}; there are: {', '.join(by_name)}")
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
    """Under AVX2, where oneDNN is known to be broken: trials of quick fixup, and the tiny trials that train networks."""
    variables = settings(Cell("AVX2", "today", 1))
    digits = ["dataset=digits", "width=4", "batch_size=32", "epochs=2", "augmentation=none", "depth=10"]
    commands = [["-m", "myths", "try", "fixup", "TrainOneEpoch", *digits, f"method={method}"] for method in ("fixup", "batch-norm")]
    commands.append(["-m", "pytest", "-q", "tests/test_contract.py", "-k", SHORT_TESTS])
    codes = [
        subprocess.run([sys.executable, *command], cwd=ROOT, env=variables, timeout=300, check=False).returncode for command in commands
    ]
    return int(any(codes))


def run(cell: Cell, myth: str = "") -> tuple[str, bool]:
    """Return a cell's line of the table, and whether all in it passed."""
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
    """The environment of a cell. Settings of the caller's do not reach it."""
    sys.path.insert(0, str(ROOT))
    from myths.lab.kernels import environment

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
    """Run the contract tests, less those that run the quick profile again. Return how many passed, as "all 250", or which failed."""
    from xml.etree import ElementTree as ET

    report = folder / "contract.xml"
    chosen = " and ".join(filter(None, [myth, "not quick_runs"]))  # the quick profile has just run
    status = _status([python, "-m", "pytest", "-q", "tests/test_contract.py", "-k", chosen, f"--junit-xml={report}"], variables)
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
        code = subprocess.run(command, cwd=ROOT, env=variables, timeout=SECONDS, check=False).returncode
    except subprocess.TimeoutExpired:
        return f"ended after {SECONDS} s"
    return f"exit {code}"


def oldest() -> str:
    """Return the interpreter of an environment with the oldest torch; make the environment where it is not yet."""
    python = ENVIRONMENT / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    ready = ENVIRONMENT / "ready"
    if not ready.exists():
        venv.create(ENVIRONMENT, with_pip=True, clear=True)
        # The versions of everything else are today's; what belongs to torch comes with it.
        own = re.compile(r"(torch|torchvision|triton|nvidia[-_].*|cuda[-_].*|setuptools|sympy|fsspec|filelock|networkx)==", re.IGNORECASE)
        kept = [line for line in (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines() if not own.match(line)]
        constraints = ENVIRONMENT / "constraints.txt"
        constraints.write_text("\n".join([*kept, *(f"{name}=={version}" for name, version in OLDEST.items())]) + "\n", encoding="utf-8")
        subprocess.run([python, "-m", "pip", "install", "--quiet", "--constraint", constraints, "--editable", f"{ROOT}[test]"], check=True)
        ready.touch()
    return str(python)


def machine(python: str, variables: dict[str, str]) -> list[str]:
    """Return processor, instruction set, and versions as a cell's interpreter sees them."""
    code = (
        "import json; from myths.lab import provenance, kernels, memory; import torch; m = provenance.machine('cpu');"
        "print(json.dumps([m['cpu'], m['instruction_set'], torch.__version__.split('+')[0], m['onednn'], kernels.available()[-1:]]))"
    )
    done = subprocess.run([python, "-c", code], cwd=ROOT, env=variables, capture_output=True, text=True, check=True)
    cpu, used, torch, onednn, newest = json.loads(done.stdout.splitlines()[-1])
    emulated = " (emulated)" if [used] != newest else ""
    return [f"{cpu}, {platform.system()}", f"{used}{emulated}", f"{torch}, {onednn}"]


def commit() -> str:
    """Return the short commit of this checkout, with a plus where something but the page of results differs from it."""
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
    """Return the lines of the table, by cell."""
    names = {cell.name for cell in CELLS}
    lines = PAGE.read_text(encoding="utf-8").splitlines()
    return {words[1].strip(): line for line in lines if len(words := line.split("|")) > 2 and words[1].strip() in names}


def write(name: str, row: str) -> None:
    """Put a line into the table, in the order of the cells."""
    table = rows() | {name: row}
    body = HEAD + "".join(table[cell.name] + "\n" for cell in CELLS if cell.name in table)
    before, rest = PAGE.read_text(encoding="utf-8").split("<!-- matrix -->\n")
    after = rest.split("<!-- end of matrix -->")[1]
    PAGE.write_text(f"{before}<!-- matrix -->\n{body}<!-- end of matrix -->{after}", encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
