"""A dataset of every kind arrives at another machine as it was, in parts of any size; what differs there is not touched."""

import numpy as np
import pytest

from myths.lab.data import prepared, transfer
from myths.lab.data.user_data import add
from myths.lab.errors import CannotStart


def arrays(folder):
    prepared.save("mine", {"x": np.arange(1000.0), "empty": np.zeros(0)}, "a test", "", archives={"a": "b"})


def images(folder):
    from PIL import Image

    for split in ("train", "test"):
        for label in ("cat", "dog"):
            (folder / split / label).mkdir(parents=True)
            for i in range(2):
                pixels = np.random.default_rng(i).integers(0, 256, (8, 8, 3), dtype=np.uint8)
                Image.fromarray(pixels).save(folder / split / label / f"{i}.png")
    add("mine", str(folder))


def texts(folder):
    folder.mkdir()
    for split, n in (("train", 30), ("val", 3), ("test", 3)):
        for language in ("de", "en"):
            (folder / f"{split}.{language}").write_text("".join(f"{split} {language} {i}\n" for i in range(n)))
    add("mine", str(folder))


def weights(folder):
    import torch

    folder.mkdir()
    torch.save(torch.nn.Linear(2, 3).state_dict(), folder / "weights.pth")
    add("mine", str(folder / "weights.pth"))


@pytest.fixture
def machines(tmp_path, monkeypatch):
    """Return a function that makes one of two machines this one."""
    monkeypatch.setattr(prepared, "home", lambda: tmp_path / "no home")
    return lambda name: monkeypatch.setenv("MYTHS_DATA", str(tmp_path / name))


@pytest.mark.parametrize("size", [1 << 30, 700])
@pytest.mark.parametrize("kind", [arrays, images, texts, weights])
def test_a_dataset_arrives_as_it_was(kind, size, machines, tmp_path):
    machines("one")
    kind(tmp_path / "source")
    (name,) = {found.name for found in prepared.all_prepared() if found.name.count(".") == 0}
    sent, sha256 = list(transfer.parts(name, size)), prepared.require(name).sha256
    assert all(0 < part.bytes <= size for part in sent)
    machines("other")
    assert transfer.wanting({name: sha256}) == ([name], "")
    for part in sent:
        for source in ("first", "second"):  # two transfers to one folder do not disturb each other
            transfer.write(part, name, source)
    assert transfer.wanting({name: sha256}) == ([name], ""), "what is incomplete is not used"
    for source in ("first", "second"):
        transfer.finish(name, sha256, source)
    assert transfer.wanting({name: sha256}) == ([], "")
    one, other = ({p.relative_to(tmp_path / m): p.read_bytes() for p in (tmp_path / m).rglob("*") if p.is_file()} for m in ("one", "other"))
    assert one == other


def test_other_contents_are_named_and_kept(machines):
    machines("one")
    wanted = {"mine": prepared.save("mine", {"x": np.arange(3)}, "a test", "").sha256}
    machines("other")
    kept = prepared.save("mine", {"x": np.arange(4)}, "a test", "")
    lacking, problem = transfer.wanting(wanted)
    assert lacking == []
    assert f"its dataset mine has other contents (SHA-256 {kept.sha256[:12]}…, expected {wanted['mine'][:12]}…)" in problem
    kept.path.write_bytes(b"cut")
    assert "SHA-256 unknown" in transfer.wanting(wanted)[1]


def test_what_arrives_changed_is_not_accepted(machines):
    machines("one")
    sha256 = prepared.save("mine", {"x": np.arange(300)}, "a test", "").sha256
    parts = list(transfer.parts("mine"))
    machines("other")
    for part in parts:
        pieces = tuple((path, offset, content.replace(b"\x07\0\0\0", b"\x09\0\0\0")) for path, offset, content in part.pieces)
        transfer.write(transfer.Part(pieces), "mine", "first")
    with pytest.raises(CannotStart, match=r"mine"):
        transfer.finish("mine", sha256, "first")
