"""docs/adding-a-myth.md followed to the letter: a further myth in a package of its own, found through its entry point."""

import csv
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

PAGE = Path(__file__).parent.parent / "docs" / "adding-a-myth.md"


def block(language: str) -> str:
    return re.search(rf"```{language}\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL).group(1)


def install(folder: Path, module: str, code: str, entry: str) -> None:
    """As pip leaves it: a module and the metadata of its distribution."""
    (folder / f"{module}.py").write_text(code, encoding="utf-8")
    metadata = folder / f"{module}-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {module}\nVersion: 1.0\n", encoding="utf-8")
    (metadata / "entry_points.txt").write_text(entry, encoding="utf-8")


def entry_point() -> str:
    """What an installer makes of the page's lines of pyproject.toml."""
    return block("toml").replace("[project.entry-points.myths]", "[myths]").replace('"', "")


@pytest.fixture
def myths(tmp_path):
    packages, work = tmp_path / "packages", tmp_path / "work"
    packages.mkdir()
    work.mkdir()
    install(packages, "gambler", block("python"), entry_point())

    def command(*words: str, status: int = 0) -> subprocess.CompletedProcess:
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(packages), str(PAGE.parent.parent)])}
        done = subprocess.run(
            [sys.executable, "-m", "myths", *words], cwd=work, env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == status, done.stderr
        return done

    command.packages, command.work = packages, work
    return command


def test_the_page_adds_a_myth_that_lists_runs_and_reports(myths):
    assert [m["myth"] for m in json.loads(myths("list", "--json").stdout)][-1] == "gambler"
    listed = myths("list").stdout
    assert listed.index("saliency") < listed.index("Further beliefs") < listed.index("gambler")
    assert "gambler: refuted (1 reproduced)" in myths("run", "gambler").stdout
    with (myths.work / "results/local/cpu-quick/gambler/claims.csv").open(encoding="utf-8") as file:
        (claim,) = csv.DictReader(file)
    assert float(claim["low"]) < 50 < float(claim["high"])
    assert int(claim["n"]) == pytest.approx(3_000_000 / 32, rel=0.02)
    assert "0 trials to run, 3 already done" in myths("run", "gambler").stdout
    myths("report")
    assert "After five heads, tails is due" in (myths.work / "results/report/gambler.html").read_text(encoding="utf-8")


def test_the_myth_of_the_page_takes_fewer_than_80_lines():
    assert len([line for line in block("python").splitlines() if line.strip()]) < 80


@pytest.mark.parametrize(
    ("code", "why"),
    [
        ("raise RuntimeError('no such planet')", "no such planet"),
        ("import sys; sys.exit('no such planet')", "no such planet"),
        ("import sys; sys.exit(3)", "3"),
        ("assert False", "AssertionError"),
    ],
)
def test_a_myth_that_cannot_be_loaded_is_named_and_left_out(myths, code, why):
    install(myths.packages, "broken", code, "[myths]\nplanet = broken:MYTH\n")
    listed = myths("list", "--json")
    names = [m["myth"] for m in json.loads(listed.stdout)]
    assert ("gambler" in names, "planet" in names) == (True, False)
    assert f"Myth planet of broken is ignored: {why}" in listed.stderr


@pytest.mark.parametrize("code", ["MYTH = 8", block("python").replace('"gambler"', '"forgetting"')])
def test_what_is_no_myth_or_has_the_name_of_another_is_left_out(myths, code):
    install(myths.packages, "strange", code, "[myths]\nstrange = strange:MYTH\n")
    assert "Myth strange of strange is ignored" in myths("list").stderr
