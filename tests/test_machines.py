"""The matrix of machines covers what it says, and its table is kept line by line."""

import importlib.util
import itertools
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from tests.seconds import added, file, folder

ROOT = Path(__file__).parents[1]


@pytest.fixture
def matrix(monkeypatch):
    spec = importlib.util.spec_from_file_location("matrix", ROOT / "benchmarks" / "matrix.py")
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "matrix", module)
    spec.loader.exec_module(module)
    return module


def test_the_cells_have_every_pair_of_settings(matrix):
    settings = [(cell.instruction_set, cell.torch, str(cell.threads)) for cell in matrix.CELLS]
    for i, j in itertools.combinations(range(3), 2):
        values = ({s[i] for s in settings}, {s[j] for s in settings})
        assert {(s[i], s[j]) for s in settings} == set(itertools.product(*values))
    assert {s[0] for s in settings} >= {"AVX2", ""}
    assert len({cell.name for cell in matrix.CELLS}) == len(matrix.CELLS)


def test_a_line_is_replaced_and_the_others_and_the_text_stay(matrix, monkeypatch, tmp_path):
    page = tmp_path / "machines.md"
    text = (ROOT / "docs" / "machines.md").read_text("utf-8")
    page.write_text(text, encoding="utf-8")
    monkeypatch.setattr(matrix, "PAGE", page)
    last, first = matrix.CELLS[-1].name, matrix.CELLS[0].name
    for name, mark in ((last, "a"), (first, "b"), (last, "c")):
        matrix.write(name, f"| {name} | {mark} |")
    assert (matrix.rows()[first], matrix.rows()[last]) == (f"| {first} | b |", f"| {last} | c |")
    written = page.read_text("utf-8")
    assert written.index(f"| {first} | b |") < written.index(f"| {last} | c |")
    around = [part.split("<!-- matrix -->")[0] + part.split("<!-- end of matrix -->")[1] for part in (text, written)]
    assert around[0] == around[1]


def test_a_cell_that_does_not_exist_is_refused_with_those_that_do():
    done = subprocess.run([sys.executable, ROOT / "benchmarks" / "matrix.py", "avx3"], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "avx2-today-2" in done.stderr


def test_a_cell_says_on_which_machine_it_ran(matrix):
    import torch

    processor, instruction_set, versions = matrix.machine(sys.executable, dict(os.environ))
    assert processor.endswith(("Linux", "Darwin", "Windows"))
    assert instruction_set
    assert versions.startswith(torch.__version__.split("+")[0])


def test_what_failed_or_ended_early_is_no_pass(matrix):
    assert matrix._counted(88, [], "exit 0") == "all 88"
    assert matrix._counted(88, ["TrainOneEpoch", "TrainOneEpoch"], "exit 1") == "2 of 88 failed: TrainOneEpoch"
    assert not matrix._counted(0, [], "exit 0").startswith("all")
    assert not matrix._counted(7, [], "exit -6").startswith("all")


def test_seconds_count_by_folder_and_files_beside_them():
    listed = [("tests/lab/vision/test_a.py::x", 1.0), ("tests/lab/vision/test_b.py::y", 2.0), ("tests/test_c.py::z[a/b::c]", 4.0)]
    reports = [SimpleNamespace(nodeid=nodeid, duration=seconds) for nodeid, seconds in listed]
    assert added(reports, folder) == [("tests/test_c.py", 4.0), ("tests/lab/vision", 3.0)]
    assert added(reports, file) == [("tests/test_c.py", 4.0), ("tests/lab/vision/test_b.py", 2.0), ("tests/lab/vision/test_a.py", 1.0)]
