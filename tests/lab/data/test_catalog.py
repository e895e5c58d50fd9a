"""The table: complete, pinned, with more than one place for every file."""

import re
from urllib.parse import urlparse

import pytest

from myths.lab.data.catalog import CATALOG, MODELS

FILES = [pytest.param(entry, file, id=f"{entry.name}/{file.file}") for entry in CATALOG.values() for file in entry.files]


@pytest.mark.parametrize("entry", CATALOG.values(), ids=CATALOG)
def test_an_entry_is_complete(entry):
    assert re.fullmatch(r"[a-z0-9_.]+", entry.name)
    assert entry.title
    assert entry.license
    assert entry.citation
    assert bool(entry.files) == bool(entry.prepare)
    assert len({f.file for f in entry.files}) == len(entry.files)
    assert entry.content is None or re.fullmatch(r"[0-9a-f]{64}", entry.content)
    # Every download is checked by something: the checksum of each file, or the content made from them.
    assert entry.content or all(f.checksum for f in entry.files)


@pytest.mark.parametrize(("entry", "file"), FILES)
def test_a_file_has_mirrors_and_a_checksum_that_pooch_knows(entry, file):
    assert file.bytes > 0
    assert file.checksum is None or re.fullmatch(r"sha256:[0-9a-f]{64}", file.checksum)
    assert len({urlparse(u).hostname for u in file.urls}) >= 2
    assert len(set(file.urls)) == len(file.urls)
    assert all(urlparse(u).scheme in ("http", "https") for u in file.urls)
    assert len({urlparse(u).path.split("/")[-1] for u in file.urls}) == 1
    # A branch moves: the first address of a file in a repository names a commit.
    assert "github" not in file.urls[0] or re.search(r"/[0-9a-f]{40}/", file.urls[0])


def test_the_throttled_host_is_asked_last():
    for name in ("cifar10", "cifar100"):
        (file,) = CATALOG[name].files
        assert urlparse(file.urls[-1]).hostname == "www.cs.toronto.edu"


def test_there_are_thirty_models():
    assert len(set(MODELS)) == len(MODELS) == 30
    assert len(CATALOG["cifar10_1_predictions"].files) == 93
