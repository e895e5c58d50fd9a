"""Downloads from a server that answers as mirrors do on bad days."""

import errno
import time

import numpy as np
import pytest

from myths.lab.data import fetch, formats, prepared
from myths.lab.data.catalog import CATALOG, Dataset, RemoteFile
from myths.lab.data.fetch import DownloadLimits
from myths.lab.errors import CannotStart, UsageError
from tests.lab.data import published

X, Y = np.arange(2 * 28 * 28, dtype=np.uint8).reshape(2, 28, 28), np.array([3, 1], np.uint8)
BODY = published.npy(X)
PAGE = b"\n<!DOCTYPE html><html><body>Please log in</body></html>"
HASTY = DownloadLimits(timeout=0.3, attempts=1)


def prepare(files):
    return {"x_test": formats.npy(files["x.npy"]), "y_test": Y}


CONTENT = prepared.content_sha256({"x_test": X, "y_test": Y})


@pytest.fixture
def listed(monkeypatch, sha256):
    """Puts a data set of one file at the given addresses into the catalog."""

    def listed(*urls, **more):
        more = {"checksum": sha256(BODY), "content": None} | more
        files = (RemoteFile("x.npy", urls, len(BODY), more["checksum"]),)
        monkeypatch.setitem(CATALOG, "tiny", Dataset("tiny", "", "", "", files, prepare, more["content"], note="as published"))

    return listed


def test_a_download_is_prepared_and_not_repeated(mirror, listed, home):
    listed(mirror.has("/x.npy", BODY))
    got = fetch.get("tiny")
    assert got == prepared.find("tiny")
    assert np.array_equal(prepared.load("tiny")["x_test"], X)
    assert (got.note, got.source) == ("as published", mirror.url.removeprefix("http://"))
    assert prepared.verify("tiny").state == "present"
    assert fetch.get("tiny") == got
    assert mirror.asked == ["/x.npy"]
    assert sorted(p.name for p in home.iterdir()) == ["downloads", "tiny.json", "tiny.npz"]


def test_files_that_were_brought_are_not_downloaded(mirror, listed, home):
    listed(f"{mirror.url}/x.npy")
    folder = home / "downloads" / "tiny"
    folder.mkdir(parents=True)
    (folder / "x.npy").write_bytes(BODY)
    fetch.get("tiny")
    assert mirror.asked == []


def test_another_root(mirror, listed, tmp_path):
    listed(mirror.has("/x.npy", BODY))
    assert fetch.get("tiny", root=tmp_path / "elsewhere").path == tmp_path / "elsewhere" / "tiny.npz"
    assert prepared.find("tiny") is None


def not_there(mirror):
    return f"{mirror.url}/gone.npy"


def other_content(mirror):
    return mirror.has("/other.npy", BODY[:-1] + b"!")


def a_page(mirror):
    return mirror.has("/page.npy", PAGE)


def broken_off(mirror):
    return mirror.has("/short.npy", BODY[:100], length=len(BODY))


def cut(mirror):
    return mirror.has("/cut.npy", BODY[:100])


def silent(mirror):
    return mirror.has("/silent.npy", BODY, delay=2.0)


def overloaded(mirror):
    return mirror.has("/busy.npy", b"try later", status=503)


def dead(mirror):
    return "http://127.0.0.1:9/x.npy"


def no_such_host(mirror):
    return "http://mirror.invalid/x.npy"


BAD_DAYS = {
    not_there: "404 Not Found",
    other_content: "wrong content: expected sha256:",
    a_page: "a web page instead of the file",
    broken_off: "incomplete",
    cut: "wrong content",
    silent: "timed out",
    overloaded: "503",
    dead: "connection failed",
    no_such_host: "connection failed",
}


@pytest.mark.parametrize("bad_day", BAD_DAYS, ids=lambda f: f.__name__)
def test_the_next_mirror_is_asked(bad_day, mirror, listed, home):
    listed(bad_day(mirror), mirror.has("/x.npy", BODY))
    fetch.get("tiny", limits=HASTY)
    assert np.array_equal(prepared.load("tiny")["x_test"], X)
    assert [p.name for p in (home / "downloads" / "tiny").iterdir()] == ["x.npy"]


def test_when_no_mirror_helps_each_answer_is_told(mirror, listed, home):
    urls = [bad_day(mirror) for bad_day in BAD_DAYS]
    listed(*urls)
    with pytest.raises(CannotStart, match=r"No mirror returned x\.npy of tiny") as error:
        fetch.get("tiny", limits=HASTY)
    lines = str(error.value).split("\n")
    for url, words in zip(urls, BAD_DAYS.values(), strict=True):
        assert any(url in line and words in line for line in lines)
    assert str(home / "downloads" / "tiny") in lines[-1]
    assert "`myths data get tiny`" in lines[-1]
    assert list((home / "downloads" / "tiny").iterdir()) == []
    assert prepared.find("tiny") is None


def test_a_slow_mirror_is_left_for_a_faster_one(mirror, listed):
    slow = mirror.has("/slow.npy", BODY * 200, delay=0.05, piece=1 << 13)
    listed(slow, mirror.has("/x.npy", BODY))
    start = time.monotonic()
    fetch.get("tiny", limits=DownloadLimits(timeout=1.0, attempts=1, min_bytes_per_second=1e7, grace_seconds=0.1))
    assert time.monotonic() - start < 1.5  # all of it would take two seconds
    assert mirror.asked == ["/slow.npy", "/x.npy"]


def test_the_last_mirror_may_be_slow(mirror, listed):
    listed(mirror.has("/x.npy", BODY, delay=0.05, piece=200))
    fetch.get("tiny", limits=DownloadLimits(timeout=1.0, attempts=1, min_bytes_per_second=1e7, grace_seconds=0.1))
    assert prepared.verify("tiny").state == "present"


def test_what_may_pass_is_tried_again(mirror, listed, monkeypatch):
    monkeypatch.setattr(time, "sleep", lambda seconds: None)
    url = overloaded(mirror)
    busy = mirror.pages["/busy.npy"]
    mirror.has("/well.npy", BODY)
    mirror.pages["/busy.npy"] = lambda handler: busy(handler) if len(mirror.asked) < 2 else mirror.pages["/well.npy"](handler)
    listed(url)
    fetch.get("tiny")
    assert mirror.asked == ["/busy.npy", "/busy.npy"]


def test_what_will_not_pass_is_not_tried_again(mirror, listed):
    listed(not_there(mirror))
    with pytest.raises(CannotStart, match="404"):
        fetch.get("tiny", limits=DownloadLimits(attempts=5))
    assert mirror.asked == ["/gone.npy"]


def test_a_host_that_failed_is_asked_last_for_the_next_file(mirror, monkeypatch, sha256):
    good = [mirror.has(f"/{name}", BODY) for name in ("a", "b", "c")]
    files = tuple(RemoteFile(url[-1], (f"http://127.0.0.1:9/{url[-1]}", url), 1, sha256(BODY)) for url in good)
    monkeypatch.setitem(CATALOG, "tiny", Dataset("tiny", "", "", "", files, lambda files: {"y_test": Y}))
    asked = []
    monkeypatch.setattr(fetch, "_error_text", lambda error: asked.append(error) or "")
    fetch.get("tiny", limits=HASTY)
    assert len(asked) == 1


# --- without a checksum, the content is what is checked


def test_without_a_checksum_the_content_is_checked(mirror, listed):
    listed(mirror.has("/x.npy", BODY), checksum=None, content=CONTENT)
    fetch.get("tiny")
    assert prepared.verify("tiny").state == "present"


def test_without_a_checksum_a_page_is_still_refused(mirror, listed):
    listed(a_page(mirror), mirror.has("/x.npy", BODY), checksum=None, content=CONTENT)
    fetch.get("tiny")
    assert prepared.verify("tiny").state == "present"


@pytest.mark.parametrize(("body", "words"), [(published.npy(X + 1), "is not the official content"), (b"{}", "cannot be prepared: x.npy")])
def test_without_a_checksum_other_content_is_refused(body, words, mirror, listed, home):
    listed(mirror.has("/x.npy", body), checksum=None, content=CONTENT)
    with pytest.raises(CannotStart, match=words) as error:
        fetch.get("tiny")
    assert f"move {home / 'downloads' / 'tiny'} away" in str(error.value)
    assert prepared.find("tiny") is None


# --- what is in use


def test_a_variant_is_set_aside_and_stays_usable(mirror, listed):
    old = prepared.save("tiny", {"x_test": X[:1]}, source="", note="one image")
    listed(mirror.has("/x.npy", BODY))
    assert fetch.get("tiny").sha256 == CONTENT
    aside = prepared.require(f"tiny_{old.sha256[:8]}")
    assert (aside.note, aside.sha256) == ("one image", old.sha256)
    assert len(prepared.load(aside.name)["x_test"]) == 1


def test_a_corrupt_file_is_kept(mirror, listed, home):
    listed(mirror.has("/x.npy", BODY))
    path = fetch.get("tiny").path
    path.write_bytes(b"broken")
    fetch.get("tiny")
    assert prepared.verify("tiny").state == "present"
    assert [p.read_bytes() for p in home.glob("tiny.npz.*.corrupt")] == [b"broken"]
    assert mirror.asked == ["/x.npy"]


def test_a_set_without_a_download_says_what_to_do():
    with pytest.raises(CannotStart, match="no download"):
        fetch.get("cifar10_tiny_imagenet")
    prepared.save("cifar10_tiny_imagenet", {"x_test": X}, source="", note="")
    with pytest.raises(CannotStart, match="differs from the official dataset, and there is no download"):
        fetch.get("cifar10_tiny_imagenet")


def test_an_unknown_name_is_wrong_usage():
    with pytest.raises(UsageError, match=r"Unknown dataset 'cifar'\. Available: cifar10, "):
        fetch.get("cifar")


def test_a_built_in_dataset_needs_no_download():
    assert fetch.get("digits").kind == "built-in"


# --- the disk, the screen


def test_a_full_disk_during_a_download(mirror, listed, monkeypatch, home):
    import pooch

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    listed(mirror.has("/x.npy", BODY))
    monkeypatch.setattr(pooch.HTTPDownloader, "__call__", full)
    with pytest.raises(CannotStart, match=r"no space left for .*x\.npy"):
        fetch.get("tiny")
    assert list((home / "downloads" / "tiny").iterdir()) == []


@pytest.mark.parametrize("terminal", [True, False])
def test_bytes_are_shown_on_a_terminal_only(terminal, mirror, listed, monkeypatch, capsys):
    import sys

    listed(mirror.has("/x.npy", BODY))
    monkeypatch.setattr(sys.stderr, "isatty", lambda: terminal)
    fetch.get("tiny", progress=True)
    shown = capsys.readouterr()
    assert shown.out == ""
    assert ("tiny" in shown.err) == terminal


def test_the_listing(mirror, listed):
    listed("http://a.example/x", "http://b.example/x")
    prepared.save("tiny", {"x_test": X}, source="", note="another")
    prepared.save("own", {"x_test": X}, source="mine", note="own arrays")
    prepared.save("mnist", {"x_test": X}, source="", note="")
    prepared.roots()[0].joinpath("mnist.json").write_text("{")
    rows = {row["name"]: row for row in fetch.list_datasets()}
    assert {name: rows[name]["state"] for name in ("tiny", "own", "mnist", "cifar10", "digits")} == {
        "tiny": "modified",
        "own": "present",
        "mnist": "corrupt",
        "cifar10": "not downloaded",
        "digits": "built-in",
    }
    assert rows["tiny"]["get"] == "myths data get tiny"
    assert (rows["own"]["get"], rows["own"]["note"]) == (None, "own arrays")
    assert rows["cifar10"]["download_bytes"] == 170_498_071
    assert all(row.keys() == rows["tiny"].keys() for row in rows.values())
