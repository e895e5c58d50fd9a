"""The notebook is valid, holds no outputs, and its cells for the CPU do what they say."""

from pathlib import Path

import nbformat
import pandas as pd
import pytest

NOTEBOOK = Path(__file__).parents[1] / "docs" / "seven_myths.ipynb"


@pytest.fixture(scope="module")
def notebook():
    return nbformat.read(NOTEBOOK, as_version=4)


def sources(notebook, tag):
    return [cell.source for cell in notebook.cells if tag in cell.metadata.get("tags", ())]


def test_it_is_valid_and_holds_no_outputs(notebook):
    nbformat.validate(notebook)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert all(cell.outputs == [] and cell.execution_count is None for cell in code)
    assert all(len(cell.metadata.tags) == 1 for cell in code)
    assert {tag for cell in code for tag in cell.metadata.tags} == {"install", "quick", "gpu", "report"}


def test_it_installs_from_a_clone_and_says_what_is_missing_elsewhere(notebook, tmp_path, monkeypatch):
    (source,) = sources(notebook, "install")
    assert "://" not in source  # there is no address to install from yet
    python, pip = source.rsplit("\n", 1)
    assert pip == '%pip install --quiet "$SOURCE"'
    names = {}
    monkeypatch.chdir(NOTEBOOK.parent)
    exec(python, names)
    assert (NOTEBOOK.parent / names["SOURCE"] / "pyproject.toml").exists()
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit, match="change SOURCE"):
        exec(python, {})


def test_the_cells_for_the_gpu_are_python(notebook):
    for source in sources(notebook, "gpu"):
        compile(source, "gpu", "exec")


def test_the_quick_cells_run_and_show_tables(notebook, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names = {}
    shown = []
    for source in sources(notebook, "quick"):
        source = source.replace('profile="quick"', 'profile="quick", seeds=1')  # for the time it takes
        *statements, last = source.rstrip().rsplit("\n", 1)
        exec("\n".join(statements), names)
        shown.append(eval(last, names))
    claims, tables, accuracies = shown
    assert {"not tested"} < set(claims["verdict"])
    assert tables["accuracies"] >= 5
    assert isinstance(accuracies, pd.DataFrame)
    assert len(accuracies) == 5
    assert (tmp_path / "results" / "local" / "cpu-quick" / "run.json").exists()
