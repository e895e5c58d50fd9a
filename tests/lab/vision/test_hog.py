"""The batched descriptor is scikit-image's, image by image."""

import numpy as np
import pytest
import torch
from skimage import data
from skimage.feature import hog as reference

from myths.lab.vision.hog import blocks, hog


def photographs(channels):
    color = np.stack([image[:300, :400] for image in (data.astronaut(), data.chelsea(), data.coffee())])
    x = torch.from_numpy(color).permute(0, 3, 1, 2)[:, :, 40:136, 90:170].contiguous()
    return x if channels == 3 else x.float().mean(1, keepdim=True).to(torch.uint8)


def noise(channels):
    return torch.randint(0, 256, (4, channels, 41, 53), generator=torch.Generator().manual_seed(1)).to(torch.uint8)


def flat_and_faint(channels):
    x = torch.full((3, channels, 40, 40), 7, dtype=torch.uint8)
    x[1, :, 12, 20] += 1
    x[2, :, ::2] += 1
    return x


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("images", [photographs, noise, flat_and_faint])
@pytest.mark.parametrize(
    ("orientations", "cell", "block"),
    [(9, (8, 8), (2, 2)), (9, (8, 8), (3, 3)), (8, (5, 7), (1, 2)), (12, (6, 4), (3, 1)), (4, (9, 9), (1, 1))],
)
def test_it_is_the_descriptor_of_scikit_image(channels, images, orientations, cell, block):
    x = images(channels)
    settings = {"orientations": orientations, "pixels_per_cell": cell, "cells_per_block": block, "block_norm": "L2-Hys"}
    expected = np.stack([reference(image.permute(1, 2, 0).double().numpy(), channel_axis=-1, **settings) for image in x])
    np.testing.assert_allclose(hog(x, orientations, cell, block).numpy(), expected, atol=1e-5)


def test_blocks_lie_where_they_are_in_the_image():
    x = torch.zeros(1, 1, 32, 32, dtype=torch.uint8)
    x[0, 0, :8, 24:] = torch.randint(0, 256, (8, 8), generator=torch.Generator().manual_seed(0)).to(torch.uint8)
    found = blocks(x, 9, (8, 8), (1, 1))
    assert found.shape == (1, 4, 4, 9)
    assert (found[0, 0, 3] > 0).any()
    assert (found[0, 2:] == 0).all()


def test_an_image_smaller_than_a_block_is_refused():
    with pytest.raises(ValueError, match="24x24 pixels does not fit into images of 20x64"):
        hog(torch.zeros(1, 1, 20, 64, dtype=torch.uint8))
