"""Images of every kind come out as 8-bit RGB of one size; what is no image is left out by name."""

import numpy as np
import pytest
from PIL import Image

from myths.lab.data import prepared
from myths.lab.data.folders import decode, image_folder, load_rgb, skipped_message
from myths.lab.data.images import image_set
from myths.lab.errors import CannotStart


@pytest.fixture
def own(home):
    (home / "images/own").mkdir(parents=True)
    return home / "images/own"


def describe(folder):
    sha256 = prepared.folder_sha256((f for f in folder.rglob("*") if f.is_file()), folder)
    prepared.write_sidecar(folder.with_name("own.json"), source="a test", note="", sha256=sha256)
    return image_folder("own")


GRADIENT = np.arange(0, 256, 4, dtype=np.uint8)[None].repeat(64, 0)  # 64 x 64, darker to the left


def gray(path):
    Image.fromarray(GRADIENT).save(path / "a.png")


def palette(path):
    Image.fromarray(GRADIENT).convert("P").save(path / "a.gif")


def cmyk(path):
    Image.fromarray(GRADIENT).convert("RGB").convert("CMYK").save(path / "a.tif")


def sixteen_bit(path):
    Image.fromarray(GRADIENT.astype(np.uint16) * 257).save(path / "a.png")


def thirty_two_bit(path):
    Image.fromarray(GRADIENT.astype(np.int32) * 257).save(path / "a.tif")


def floats(path):
    Image.fromarray(GRADIENT.astype(np.float32) / 255).save(path / "a.tif")


def opaque(path):
    Image.fromarray(GRADIENT).convert("RGBA").save(path / "a.png")


@pytest.mark.parametrize("write", [gray, palette, cmyk, sixteen_bit, thirty_two_bit, floats, opaque], ids=lambda f: f.__name__)
def test_every_mode_becomes_the_same_rgb(write, own):
    write(own)
    images = decode(describe(own), 64)
    assert images.shape == (1, 3, 64, 64)
    assert np.abs(images[0].numpy() - GRADIENT.astype(float)).max() <= 1.01


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P"])
def test_what_is_transparent_lies_on_white(mode, own):
    image = Image.new("RGBA", (4, 4), (255, 0, 0, 0))
    if mode == "P":
        image = Image.new("P", (4, 4))
        image.info["transparency"] = 0
    image = image.convert(mode)
    image.save(own / "a.png")
    assert (decode(describe(own), 4) == 255).all()


def test_the_middle_square_is_taken_and_the_camera_turned_upright(own):
    wide = np.zeros((10, 30, 3), np.uint8)
    wide[:, 10:20] = 200
    Image.fromarray(wide).save(own / "a.png")
    turned = Image.fromarray(np.repeat(np.arange(10, dtype=np.uint8)[:, None] * 20, 10, 1))
    exif = Image.Exif()
    exif[0x0112] = 3  # upside down
    turned.save(own / "b.png", exif=exif)
    first, second = decode(describe(own), 10, filter="box")
    assert (first == 200).all()
    assert second[0, 0, 0] == 180
    assert second[0, -1, 0] == 0


def test_resizing_averages_what_it_leaves_out(own):
    checks = np.indices((64, 64)).sum(0).astype(np.uint8) % 2 * 255
    Image.fromarray(checks).save(own / "a.png")
    assert abs(decode(describe(own), 16).float() - 127.5).max() < 2


def test_flat_and_nested_folders_and_what_is_left_out(own):
    for path in ("a.png", "cat/b.JPG", "set/cat/c.png", ".hidden/d.png", "cat/.e.png"):
        (own / path).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (5, 4)).save(own / path)
    (own / "index.csv").write_text("no image")
    (own / "cat/broken.png").write_bytes((own / "a.png").read_bytes()[:30])
    jpeg = own / "cat/cut.jpg"
    Image.fromarray(np.random.default_rng(0).integers(256, size=(99, 99, 3), dtype=np.uint8)).save(jpeg)
    jpeg.write_bytes(jpeg.read_bytes()[:-500])
    folder = describe(own)
    assert folder.files == ("a.png", "cat/b.JPG", "set/cat/c.png")
    assert folder.labels == ("", "cat", "set/cat")
    assert [file for file, _ in folder.skipped] == ["cat/broken.png", "cat/cut.jpg"]
    assert "truncated" in dict(folder.skipped)["cat/cut.jpg"]
    assert len(folder.filter(lambda label: label.startswith("set/"))) == 1
    assert decode(folder, 4, files=[2, 0]).shape == (2, 3, 4, 4)
    assert decode(folder, 4, files=[]).shape == (0, 3, 4, 4)
    assert skipped_message(folder.skipped, shown=1) == "2 skipped because they cannot be read: cat/broken.png and 1 more"


def test_no_folder_of_images_is_refused(own, home):
    (own / "a.png").write_text("no image")
    with pytest.raises(CannotStart, match="contains no readable image"):
        describe(own)
    with pytest.raises(CannotStart, match="kind built-in, not an image folder"):
        image_folder("digits")
    with pytest.raises(CannotStart, match="has no download"):
        image_folder("nothing")


def test_an_image_that_went_away_is_named(own):
    Image.new("RGB", (5, 4)).save(own / "a.png")
    folder = describe(own)
    (own / "a.png").unlink()
    with pytest.raises(CannotStart, match=r"a\.png can no longer be read"):
        decode(folder, 4)


def test_an_image_set_of_mixed_sizes_is_refused(own):
    for i, size in enumerate([(5, 4), (9, 9)]):
        (own / "cat").mkdir(exist_ok=True)
        Image.new("RGB", size, (10, 20, 30)).save(own / f"cat/{i}.png")
    describe(own)
    with pytest.raises(CannotStart, match="differ in size"):
        image_set("own", "cpu")


def test_rgb_of_one_file(tmp_path):
    Image.new("1", (3, 2), 1).save(tmp_path / "a.png")
    assert np.asarray(load_rgb(tmp_path / "a.png")).tolist() == [[[255] * 3] * 3] * 2
