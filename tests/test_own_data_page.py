"""docs/own-data.md: its examples are made as it says, `myths data add` prints what it shows, and its pictures are small."""

import importlib.util
import re
from pathlib import Path

import pytest

import myths.cli
from myths.lab.data.fetch import add

DOCS = Path(__file__).parents[1] / "docs"
PAGE = (DOCS / "own-data.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """The folder of examples, and what making it printed."""
    spec = importlib.util.spec_from_file_location("own_data", DOCS / "own_data.py")
    examples = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(examples)
    folder = tmp_path_factory.mktemp("examples")
    wrong = examples.digits(folder / "digits")
    examples.photographs(folder / "kept", folder / "sent")
    examples.captions(folder / "texts")
    return folder, wrong


@pytest.mark.parametrize(
    ("name", "path", "settings"),
    [("my-digits", "digits", {}), ("kept", "kept", {}), ("captions", "texts", {"source": "en", "target": "de"})],
)
def test_adding_an_example_prints_what_the_page_shows(made, name, path, settings, tmp_path, monkeypatch):
    monkeypatch.setenv("MYTHS_DATA", str(tmp_path))
    added = add(name, str(made[0] / path), settings)
    assert added.summary
    shown = PAGE.split(f"$ myths data add {name}")[1].split("```")[0]
    assert [line for line in added.summary if line not in shown] == []


def test_the_first_of_the_list_that_the_page_shows_were_put_into_a_wrong_folder(made):
    planted = dict(line.split(": ") for line in made[1])
    first = re.findall(r"(train/\d/\d{4}\.png) \(\d → (\d), \d+%\)", PAGE)
    assert len(first) == 3
    assert all(planted[file] == predicted for file, predicted in first)


def test_no_sentence_is_in_two_parts_of_the_texts(made):
    parts = {part: (made[0] / f"texts/{part}.en").read_text(encoding="utf-8").splitlines() for part in ("train", "val", "test")}
    everything = [line for lines in parts.values() for line in lines]
    assert len(set(everything)) == len(everything) == 3600


def test_a_run_of_own_data_ends_as_the_page_shows():
    ends = re.findall(r" measured your data\. .*", PAGE)
    assert len(ends) == 3
    source = Path(myths.cli.__file__).read_text(encoding="utf-8")
    assert [end for end in ends if end not in source] == []


def test_no_name_is_added_twice_before_it_is_removed():
    names = re.findall(r"^(?:\$ )?myths data add (\S+) \S+\.?\S*(?: \w+=\S+)*(?: +#.*)?$", PAGE, re.MULTILINE)
    names = [name.replace("-", "_") for name in names if name.islower()]
    assert len(names) >= 8
    assert sorted(set(names)) == sorted(names)


def test_the_pictures_are_there_and_small():
    pictures = re.findall(r"!\[[^\]]+\]\(([^)]+)\)", PAGE)
    assert len(pictures) >= 4
    assert {picture: size for picture in pictures if (size := (DOCS / picture).stat().st_size) > 150_000} == {}
