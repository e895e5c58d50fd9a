"""The wheel holds what the commands need where there is no checkout: every module, and the published runs."""

import email
import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PARTS = ("myths", "results/published", "pyproject.toml", "setup.py", "MANIFEST.in", "README.md", "LICENSE", "constraints.txt")

RELEASE = pytest.mark.skipif("MYTHS_WHEEL" not in os.environ, reason="takes long: only `make release` waits for it")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """The one that ``make release`` made, or one made from this checkout."""
    if given := os.environ.get("MYTHS_WHEEL"):
        return (ROOT / given).resolve()
    source = tmp_path_factory.mktemp("source")
    for part in PARTS:
        if (ROOT / part).is_dir():
            shutil.copytree(ROOT / part, source / part, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copyfile(ROOT / part, source / part)
    build = "import sys; from setuptools import build_meta; print(build_meta.build_wheel(sys.argv[1]))"
    done = subprocess.run([sys.executable, "-c", build, str(source)], cwd=source, capture_output=True, text=True, timeout=180)
    assert done.returncode == 0, done.stdout + done.stderr
    return source / done.stdout.split()[-1]


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory):
    """The folder that the wheel is unpacked into: more is not needed to install one of Python alone."""
    folder = tmp_path_factory.mktemp("installed")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder)
    return folder


@pytest.fixture
def myths(installed, tmp_path):
    """A command of the installed package, in an empty folder."""

    def call(*words):
        code = f"import myths, sys; assert myths.__file__.startswith({str(installed)!r}); from myths.cli import main; main()"
        done = subprocess.run(
            [sys.executable, "-c", code, *words], capture_output=True, text=True, timeout=240, cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": str(installed), "HOME": str(tmp_path), "MYTHS_DATA": str(tmp_path / "data")},
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    call.folder = tmp_path
    return call


def test_it_is_complete_and_small(wheel, installed):
    names = {path.relative_to(installed).as_posix() for path in installed.rglob("*") if path.is_file()}
    sources = {p.relative_to(ROOT).as_posix() for p in (ROOT / "myths").rglob("*") if p.is_file() and "__pycache__" not in p.parts}
    assert sources - names == set()
    runs = {p.parent.name for p in (ROOT / "results/published").glob("*/run.json")}
    assert runs == {name.split("/")[2] for name in names if name.startswith("myths/published/")}
    assert not [name for name in names if name.endswith((".png", ".svg", ".lock"))]
    arrays = {p.relative_to(ROOT / "results").as_posix() for p in (ROOT / "results/published").glob("*/*/arrays/*.npz")}
    assert {f"myths/{name}" for name in arrays} == {name for name in names if name.endswith(".npz")}
    with zipfile.ZipFile(wheel) as archive:
        evidence = sum(member.compress_size for member in archive.infolist() if member.filename.startswith("myths/published/"))
    assert wheel.stat().st_size - evidence < 2_000_000, "the package itself"
    assert evidence < 10_000_000, "the published runs, which grow with every night of trials"
    (about,) = (installed / name for name in names if name.endswith(".dist-info/METADATA"))
    assert email.message_from_string(about.read_text(encoding="utf-8"))["Name"] == "seven-myths"
    assert "myths = myths.__main__:main" in (about.parent / "entry_points.txt").read_text()


def test_it_knows_the_published_verdicts_and_numbers(myths):
    verdicts = {line["myth"]: line["run"] for line in json.loads(myths("list", "--json"))}
    published = {p.parents[1].name for p in (ROOT / "results/published").glob("*/*/claims.csv")}
    folders = {p.parent.name for p in (ROOT / "results/published").glob("*/*/claims.csv")}
    assert {run for myth, run in verdicts.items() if myth.replace("-", "_") in folders} <= published
    assert {run for myth, run in verdicts.items() if myth.replace("-", "_") not in folders} <= {None}
    assert any(line["estimate"] for line in json.loads(myths("show", "cifar10-1", "--json")))
    assert not (myths.folder / "results").exists()


@RELEASE
def test_it_runs_where_one_stands(myths):
    assert "cifar10-1: " in myths("run", "cifar10-1", "--seeds", "1", "--jobs", "1")
    assert (myths.folder / "results/local/cpu-quick/cifar10_1/claims.csv").exists()


@RELEASE
def test_it_compares_and_reports_published_runs(myths):
    assert "moved" in myths("compare", "cpu-laptop", "cpu-laptop")
    myths("report", "cpu-laptop")
    assert (myths.folder / "results/report/saliency.html").exists()
