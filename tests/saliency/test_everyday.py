"""Everyday changes of photographs against torchvision and Pillow, and the comparisons that are computed from them."""

import io

import numpy as np
import pytest
import torch
from PIL import Image
from scipy import stats
from torchvision.transforms import InterpolationMode
from torchvision.transforms import functional as vision

from myths.lab.storage.store import Results, TrialRecord
from myths.saliency import MYTH
from myths.saliency.attributions.grad_cam import find_layer
from myths.saliency.everyday_changes import changed, motion, move, similarity
from myths.saliency.names import CHANGES, SQUEEZENET_LAYER, UNTRAINED
from myths.saliency.pretrained import load
from myths.saliency.trials import ChangeImages
from myths.saliency.trials.on_network import TEST_NETWORK

SIGNS = torch.tensor([1.0, -1.0])


@pytest.fixture
def photographs():
    return torch.rand(2, 3, 48, 48, generator=torch.Generator().manual_seed(0))


def test_a_rotation_is_torchvisions(photographs):
    found = changed(photographs, "rotation", SIGNS, motion("rotation", SIGNS, 48))
    for one, image, sign in zip(found, photographs, SIGNS, strict=True):
        expected = vision.rotate(image, 5.0 * float(sign), InterpolationMode.BILINEAR)
        torch.testing.assert_close(one[:, 8:-8, 8:-8], expected[:, 8:-8, 8:-8], atol=1e-4, rtol=0)


def test_a_shift_moves_two_columns_and_repeats_the_border(photographs):
    right, left = changed(photographs, "shift", SIGNS, motion("shift", SIGNS, 48))
    torch.testing.assert_close(right[:, :, 2:], photographs[0, :, :, :-2])
    torch.testing.assert_close(left[:, :, :-2], photographs[1, :, :, 2:])
    torch.testing.assert_close(right[:, :, :2], photographs[0, :, :, :1].expand(-1, -1, 2))


def test_brightness_is_ten_percent_and_jpeg_pillows(photographs):
    light = changed(photographs, "brightness", SIGNS, motion("brightness", SIGNS, 48))
    torch.testing.assert_close(light, torch.stack([photographs[0] * 1.1, photographs[1] * 0.9]).clamp(0, 1))
    file = io.BytesIO()
    vision.to_pil_image(photographs[0]).save(file, "JPEG", quality=75)
    expected = vision.to_tensor(Image.open(file))
    found = changed(photographs, "jpeg", SIGNS, None)[0]
    assert float((found - expected).abs().mean()) < 0.01  # to_pil_image rounds down
    assert 0.01 < float((found - photographs[0]).abs().mean()) < 0.3


@pytest.mark.parametrize("change", CHANGES)
def test_a_map_that_moves_with_the_image_is_unchanged(change):
    """After a shift all top pixels are left; after a rotation as many as the ceiling says, and all but some with a tolerance of a pixel."""
    maps = torch.rand(2, 64, 64, generator=torch.Generator().manual_seed(1))
    moved = motion(change, SIGNS, 64)
    after = maps if moved is None else move(maps[:, None], moved.there, "nearest")[:, 0]
    found = similarity(maps, after, 200, moved)
    torch.testing.assert_close(found["intersection"], found["ceiling"])
    assert (found["lens_recall"] >= found["intersection"]).all()
    assert (found["ceiling"] == 1).all() if change != "rotation" else ((found["ceiling"] > 0.85) & (found["ceiling"] < 1)).all()
    other = similarity(maps, torch.rand(2, 64, 64, generator=torch.Generator().manual_seed(2)), 200, moved)
    assert (other["intersection"] < 0.15).all()


def test_pixels_that_leave_the_image_do_not_count():
    """The top pixels of the first map are the columns that a shift to the left moves out; the next ones are compared instead."""
    maps = torch.zeros(1, 20, 20)
    maps[:, :, :2], maps[:, :, 10] = 2.0, 1.0
    signs = -torch.ones(1)
    moved = motion("shift", signs, 20)
    after = move(maps[:, None], moved.there, "nearest")[:, 0]
    assert after[0, :, 8].min() == 1
    assert similarity(maps, after, 20, moved)["intersection"].item() == 1
    assert torch.isnan(similarity(maps, torch.ones_like(maps), 20, moved)["intersection"]).all()


def test_grad_cam_of_squeezenet_explains_the_output_of_its_last_block():
    """All branches, after ReLU: 512 channels, none negative."""
    network, _ = load(UNTRAINED, "cpu")
    seen = []
    find_layer(network, SQUEEZENET_LAYER).register_forward_hook(lambda module, inputs, output: seen.append(output.clone()))
    last = find_layer(network)
    last.register_forward_hook(lambda module, inputs, output: seen.append(output.clone()))
    network(torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(0)))
    branch, block = seen
    assert block.shape[1] == 512 == 2 * branch.shape[1]
    assert block.min() >= 0 > branch.min()


# --- comparisons -----------------------------------------------------------------------------------


def record(method, shared, kept, ceiling=1.0):
    trial = ChangeImages(network=TEST_NETWORK, method=method, images=len(kept[0]), k=20)
    rows = [
        {"change": change, "image": list(range(len(k))), "label_kept": list(k), "intersection": list(s), "lens_recall": list((1 + s) / 2),
         "ceiling": [ceiling if change == "rotation" else 1.0] * len(k)}
        for change, s, k in zip(CHANGES, shared, kept, strict=True)
    ]  # fmt: skip
    return TrialRecord(trial=trial, status="ok", rows=rows)


def test_methods_and_kinds_of_changes_are_compared_on_images_that_keep_their_label_in_all():
    rng = np.random.default_rng(0)
    gradient, camera = rng.uniform(0.1, 0.3, (4, 30)), rng.uniform(0.6, 0.9, (4, 30))
    kept = np.ones((4, 30), dtype=bool)
    kept[2, :5] = False
    results = Results([record("gradient", gradient, kept, 0.8), record("grad-cam", camera, np.ones_like(kept))])
    table = MYTH.tables["everyday_differences"](results).set_index(["comparison", "method"])
    above = table.loc[("Grad-CAM minus other", "gradient")]
    left = ((gradient[0] + gradient[1] / 0.8 + gradient[2] + gradient[3]) / 4)[5:]  # its rotation has a ceiling of 0.8
    difference = camera.mean(0)[5:] - left
    expected = stats.t.interval(0.95, 24, difference.mean(), stats.sem(difference))
    assert (above["low"], above["high"], above["n"]) == (pytest.approx(expected[0]), pytest.approx(expected[1]), 25)
    expected = stats.t.interval(0.95, 24, left.mean(), stats.sem(left))
    everything = table.loc[("all changes", "gradient")]
    assert (everything["low"], everything["high"], everything["n"]) == (pytest.approx(expected[0]), pytest.approx(expected[1]), 25)
    assert table.loc[("all changes, LENS", "gradient"), "value"] == pytest.approx(1 - (1 - gradient.mean(0)[5:].mean()) / 2)
    moved = table.loc[("geometric minus photometric", "gradient")]
    difference = ((gradient[0] + gradient[1] / 0.8) / 2 - (gradient[2] + gradient[3]) / 2)[5:]
    expected = stats.t.interval(1 - 0.05 / 3, 24, difference.mean(), stats.sem(difference))
    assert (moved["low"], moved["high"]) == (pytest.approx(expected[0]), pytest.approx(expected[1]))
    assert table.loc[("geometric minus photometric", "grad-cam"), "n"] == 30
    changes = MYTH.tables["everyday_changes"](results).set_index(["method", "change"])
    assert changes.loc[("gradient", "jpeg"), ["n", "label_kept_percent"]].tolist() == [25, pytest.approx(100 * 25 / 30)]
