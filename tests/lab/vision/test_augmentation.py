"""Whole-batch augmentation against one image at a time."""

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from myths.lab.vision.augmentation import augment, crop, random_crop, random_cutout, random_flip


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def images(n, channels, size, seed=0):
    return torch.randint(0, 256, (n, channels, size, size), generator=generator(seed)).to(torch.uint8)


def crop_one(image, padding, padding_mode, row, column):
    padded = F.pad(image[None].float(), (padding,) * 4, mode="reflect" if padding_mode == "reflect" else "constant")[0]
    return padded[:, row : row + image.shape[1], column : column + image.shape[2]].to(image.dtype)


@settings(deadline=None, max_examples=40)
@given(
    n=st.integers(1, 6),
    channels=st.sampled_from([1, 3]),
    size=st.integers(5, 12),
    padding=st.integers(0, 4),
    padding_mode=st.sampled_from(["reflect", "zero"]),
    seed=st.integers(0, 99),
)
def test_crop_is_a_crop_of_each_padded_image(n, channels, size, padding, padding_mode, seed):
    x = images(n, channels, size, seed)
    offsets = torch.randint(0, 2 * padding + 1, (2, n), generator=generator(seed))
    expected = [crop_one(x[i], padding, padding_mode, int(offsets[0, i]), int(offsets[1, i])) for i in range(n)]
    assert torch.equal(crop(x, padding, padding_mode, offsets), torch.stack(expected))


def test_a_random_crop_reaches_every_offset_and_nothing_else():
    size, padding = 6, 1
    x = images(1, 1, size).expand(400, -1, -1, -1)
    possible = {tuple(crop_one(x[0], padding, "zero", r, c).flatten().tolist()) for r in range(3) for c in range(3)}
    seen = {tuple(image.flatten().tolist()) for image in random_crop(x, padding, "zero", generator())}
    assert seen == possible


def test_flips_only_mirror_about_half():
    x = images(400, 3, 8)
    flipped = random_flip(x, generator())
    same = (flipped == x).flatten(1).all(1)
    mirrored = (flipped == x.flip(-1)).flatten(1).all(1)
    assert (same | mirrored).all()
    assert 150 < int(mirrored.sum()) < 250


@settings(deadline=None, max_examples=25)
@given(size=st.integers(1, 8), side=st.integers(8, 12), seed=st.integers(0, 99))
def test_cutout_fills_one_square_that_may_stick_out(size, side, seed):
    x = torch.rand(20, 3, side, side, generator=generator(seed)) + 2
    fill = torch.tensor([0.1, 0.2, 0.3])
    cut = random_cutout(x, size, fill, generator(seed))
    gone = (cut != x).all(1)
    assert torch.equal(cut.movedim(1, -1)[gone], fill.expand(int(gone.sum()), 3))
    assert torch.equal(cut.movedim(1, -1)[~gone], x.movedim(1, -1)[~gone])
    rows, columns = gone.any(2), gone.any(1)
    assert torch.equal(gone, rows[:, :, None] & columns[:, None, :])
    for covered in (rows, columns):
        assert (covered.sum(1) >= (size + 1) // 2).all()
        assert (covered.sum(1) <= size).all()
        assert (covered.int().diff(dim=1).abs().sum(1) <= 2).all()


@pytest.mark.parametrize("kind", ["none", "flip", "crop-flip", "crop-flip-cutout"])
def test_augment_gives_pixels_between_zero_and_one_and_repeats(kind):
    x = images(10, 3, 16)
    fill = torch.full((3,), 0.5)
    one, two, other = (augment(x, kind, "reflect", fill, generator(seed)) for seed in (1, 1, 2))
    assert one.dtype == torch.float32
    assert one.shape == x.shape
    assert 0 <= one.min() <= one.max() <= 1
    assert torch.equal(one, two)
    assert torch.equal(one, other) == (kind == "none")


def test_no_augmentation_is_the_image():
    x = images(3, 1, 8)
    assert torch.equal((augment(x, "none", "zero", torch.zeros(1), generator()) * 255).round().to(torch.uint8), x)
