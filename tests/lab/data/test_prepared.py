"""The prepared form: what is hashed, what is found, and what is said when it is not as it must be."""

import dataclasses
import errno
import hashlib
import json
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from myths.lab.data import prepared
from myths.lab.data.catalog import CATALOG, Dataset, RemoteFile
from myths.lab.errors import CannotStart

ARRAYS = {
    "x_test": np.arange(24, dtype=np.uint8).reshape(2, 2, 2, 3),
    "y_test": np.array([0, 1], np.uint8),
    "classes": np.array(["cat", "dog"]),
}

dtypes = st.sampled_from(["|u1", "<i4", ">i2", "<f8", "|b1", "<U3"])
some_arrays = st.dictionaries(
    st.text("abcxyz_", min_size=1, max_size=5),
    dtypes.flatmap(lambda d: hnp.arrays(d, hnp.array_shapes(max_dims=3, max_side=4))),
    min_size=1,
    max_size=4,
)


def own(name="own", **more):
    return prepared.save(name, ARRAYS, source="a test", note="made up", **more)


# --- hashes


def test_the_hash_is_of_name_dtype_shape_and_bytes_in_name_order():
    arrays = {"b": np.array([[1, 2]], ">i2"), "a": np.array([True])}
    expected = b"a |b1 (1,)\n\x01" + b"b >i2 (1, 2)\n\x00\x01\x00\x02"
    assert prepared.content_sha256(arrays) == hashlib.sha256(expected).hexdigest()


@given(some_arrays, st.randoms())
def test_the_hash_does_not_depend_on_insertion_or_memory_order(arrays, random):
    names = list(arrays)
    random.shuffle(names)
    assert prepared.content_sha256({n: np.asfortranarray(arrays[n]) for n in names}) == prepared.content_sha256(arrays)


@given(some_arrays, st.data())
def test_the_hash_changes_with_name_dtype_shape_and_bytes(arrays, data):
    name = data.draw(st.sampled_from(sorted(arrays)))
    array = arrays[name]
    flipped = np.frombuffer(bytearray(array.tobytes()), dtype=np.uint8).copy()
    changes = [
        {**arrays, name: array[None]},
        {n if n != name else name + "_": a for n, a in arrays.items()},
        {**arrays, name: np.concatenate([array, array])},
    ]
    if array.dtype.kind != "U":  # not every word is a character
        flipped[0] ^= 1
        changes.append({**arrays, name: flipped.view(array.dtype).reshape(array.shape)})
        changes.append({**arrays, name: array.view(f"V{array.itemsize}")})
    digests = {prepared.content_sha256(changed) for changed in [arrays, *changes]}
    assert len(digests) == 1 + len(changes)


def test_python_objects_are_not_hashed():
    with pytest.raises(ValueError, match="Python objects"):
        prepared.content_sha256({"x": np.array([[], {}], dtype=object)})


def test_a_folder_hash_is_of_paths_and_bytes(tmp_path):
    for path, body in {"b/2.jpg": b"two", "a/1.jpg": b"one"}.items():
        (tmp_path / path).parent.mkdir()
        (tmp_path / path).write_bytes(body)
    expected = hashlib.sha256(b"a/1.jpg\noneb/2.jpg\ntwo").hexdigest()
    assert prepared.folder_sha256(tmp_path.rglob("*.jpg"), tmp_path) == expected


# --- finding and reading


def test_what_is_saved_is_loaded_read_only():
    saved = own(archives={"a.tar": "12"})
    assert prepared.find("own") == saved
    assert prepared.sha256_of("own") == prepared.content_sha256(ARRAYS)
    loaded = prepared.load("own")
    assert loaded.keys() == ARRAYS.keys()
    assert all(np.array_equal(loaded[k], ARRAYS[k]) and loaded[k].dtype == ARRAYS[k].dtype for k in ARRAYS)
    with pytest.raises(ValueError, match="read-only"):
        loaded["x_test"][0] = 1
    assert prepared.load("own")["x_test"] is loaded["x_test"]
    assert prepared.verify("own").state == "present"


def test_the_facts_for_a_result_hold_no_path(home):
    assert str(home) not in json.dumps(own().metadata())


def test_a_replaced_file_is_read_again():
    own()
    before = prepared.load("own")
    prepared.save("own", {"x_test": np.zeros(3)}, source="a test", note="")
    assert prepared.load("own").keys() != before.keys()


def test_the_first_root_wins_and_the_cache_is_the_second(home, tmp_path):
    cache = tmp_path / "home" / ".cache" / "myths"
    own(root=cache)
    assert prepared.require("own").path == cache / "own.npz"
    own()
    assert prepared.require("own").path == home / "own.npz"
    assert [p.name for p in prepared.all_prepared()] == ["own"]


def test_built_in_datasets_are_always_available():
    found = prepared.require("digits")
    assert (found.path, found.kind) == (None, "built-in")
    assert prepared.sha256_of("digits") == found.sha256 == prepared.content_sha256(prepared.load("digits"))
    assert prepared.verify("digits").state == "present"


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("cifar10", ["cifar10", "170.5 MB", "`myths data get cifar10`", "storage.googleapis.com", "www.cs.toronto.edu", "cifar10.npz"]),
        ("cifar10_tiny_imagenet", ["no download", "Tiny ImageNet", "cifar10_tiny_imagenet.npz"]),
        ("holiday", ["has no download", "`myths data add holiday PATH`"]),
        ("Holiday", ["Dataset Holiday is not available and has no download", "`myths data add holiday PATH`"]),
        ("cifar-1O", ["did you mean cifar10?"]),
    ],
)
def test_an_absent_set_says_how_to_get_it(name, words, home):
    assert prepared.find(name) is None
    assert prepared.sha256_of(name) is None
    assert prepared.verify(name).state == "not downloaded"
    with pytest.raises(CannotStart) as error:
        prepared.load(name)
    assert all(word in str(error.value) for word in [*words, str(home)])


# --- damage


def flip_a_pixel(path):
    arrays = {k: v.copy() for k, v in ARRAYS.items()}
    arrays["x_test"][0, 0, 0, 0] ^= 1
    np.savez(path, **arrays)


def flip_a_byte(path):
    body = bytearray(path.read_bytes())
    body[body.index(ARRAYS["x_test"].tobytes())] ^= 1
    path.write_bytes(body)


def cut(path):
    path.write_bytes(path.read_bytes()[:300])


def empty(path):
    path.write_bytes(b"")


def turn_to_text(path):
    path.write_text("<!DOCTYPE html><title>Not found</title>")


def drop_an_array(path):
    np.savez(path, x_test=ARRAYS["x_test"])


def hold_objects(path):
    np.savez(path, x_test=np.array([{}, []], dtype=object))


def hold_a_single_array(path):
    with path.open("wb") as stream:
        np.save(stream, ARRAYS["x_test"])


DAMAGES = [flip_a_pixel, flip_a_byte, cut, empty, turn_to_text, drop_an_array, hold_objects, hold_a_single_array]


@pytest.mark.parametrize("damage", DAMAGES, ids=lambda f: f.__name__)
def test_a_damaged_file_is_named_and_kept(damage):
    saved = own()
    damage(saved.path)
    body = saved.path.read_bytes()
    with pytest.raises(CannotStart, match=r"own\.npz (cannot be read|does not match)") as error:
        prepared.load("own")
    assert "copy it again" in str(error.value)
    checked = prepared.verify("own")
    assert (checked.state, checked.expected, checked.path) == ("corrupt", saved.sha256, saved.path)
    if checked.found:
        assert all(sha256 in checked.note and sha256 in str(error.value) for sha256 in (checked.found, saved.sha256))
    assert saved.path.read_bytes() == body


@pytest.mark.parametrize("text", ["", "{", "[]", '{"source": "x"}', '{"source": "x", "note": "", "sha256": "0", "archives": 3}'])
def test_a_mangled_sidecar_is_named(text):
    sidecar = own().path.with_suffix(".json")
    sidecar.write_text(text)
    with pytest.raises(CannotStart, match=r"own\.json cannot be read"):
        prepared.load("own")
    assert prepared.verify("own").state == "corrupt"
    assert prepared.all_prepared() == []


def test_a_lost_sidecar_is_missed():
    own().path.with_suffix(".json").unlink()
    with pytest.raises(CannotStart, match=r"has no own\.json, which"):
        prepared.find("own")


# --- the official set, variants


@pytest.fixture
def official(monkeypatch):
    entry = Dataset("own", "", "", "", files=(RemoteFile("a.tar", (), 1, "sha256:aa"),), content=prepared.content_sha256(ARRAYS))
    monkeypatch.setitem(CATALOG, "own", entry)
    return entry


def test_the_official_content_is_present(official):
    own()
    assert prepared.verify("own").state == "present"


def test_other_content_is_a_variant_with_its_note(official):
    saved = prepared.save("own", {"x_test": np.zeros(2)}, source="", note="one image is JPEG")
    assert prepared.verify("own") == prepared.Verification(
        "own", "modified", "one image is JPEG", official.content, saved.sha256, saved.path
    )
    assert saved.metadata()["state"] == "modified"


@pytest.mark.parametrize(("archives", "state"), [({"a.tar": "aa"}, "present"), ({"a.tar": "bb"}, "modified"), ({}, "modified")])
def test_what_was_made_from_the_published_files_is_present(official, monkeypatch, archives, state):
    monkeypatch.setitem(CATALOG, "own", dataclasses.replace(official, content=None))
    own(archives=archives)
    assert prepared.verify("own").state == state


def test_files_without_a_checksum_prove_nothing(official, monkeypatch):
    files = (*official.files, RemoteFile("b.json", (), 1, None))
    monkeypatch.setitem(CATALOG, "own", dataclasses.replace(official, content=None, files=files))
    own(archives={"a.tar": "aa", "b.json": "bb"})
    assert prepared.verify("own").state == "modified"


# --- writing


def fail_to_write(code):
    def savez(stream, **_):
        stream.write(b"half")
        raise OSError(code, "as the test wants it")

    return savez


@pytest.mark.parametrize(("code", "words"), [(errno.ENOSPC, "no space left for .*own.npz"), (errno.EACCES, "cannot be written")])
def test_a_full_disk_leaves_nothing_half_written(monkeypatch, home, code, words):
    monkeypatch.setattr(np, "savez", fail_to_write(code))
    with pytest.raises(CannotStart, match=words):
        own()
    assert list(home.iterdir()) == []


def test_a_full_disk_leaves_what_was_there(monkeypatch, home):
    own()
    monkeypatch.setattr(np, "savez", fail_to_write(errno.ENOSPC))
    with pytest.raises(CannotStart):
        prepared.save("own", {"x_test": np.zeros(1)}, source="", note="")
    assert prepared.verify("own").state == "present"
    assert sorted(p.name for p in home.iterdir()) == ["own.json", "own.npz"]


def test_a_root_that_is_a_file_cannot_be_written(home):
    home.write_text("")
    with pytest.raises(CannotStart, match="cannot be written"):
        own()


def test_importing_the_room_imports_neither_torch_nor_pooch():
    modules = ["catalog", "built_in", "fetch", "formats", "prepared", "text_files", "user_data"]
    code = (
        "import sys;" + ";".join(f"import myths.lab.data.{m}" for m in modules) + ";print({'torch', 'pooch', 'sklearn'} & set(sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "set()\n"
