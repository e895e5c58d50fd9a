"""The prediction of memory against what is kept, and the depth that fits."""

import pytest
import torch

from myths.fixup.architectures import ARCHITECTURES
from myths.fixup.memory import MAX_FRACTION, Setup, blocks_per_segment, estimate_memory, saved_tensor_bytes
from myths.fixup.network import build
from myths.lab.errors import CannotStart

IMAGE = {"classes": 10, "channels": 3, "image_size": 8, "width": 4}
WIDE = Setup(architecture="wide-resnet", method="fixup", batch=64, **IMAGE)


@pytest.mark.parametrize("architecture", sorted(ARCHITECTURES))
@pytest.mark.parametrize("method", ["fixup", "he", "batch-norm"])
def test_the_prediction_from_two_shallow_networks_holds_for_deeper_ones_and_other_batches(architecture, method):
    taken = estimate_memory(Setup(architecture=architecture, method=method, batch=6, **IMAGE))
    made = build(architecture, ARCHITECTURES[architecture].depth(5), method, 10, 3, 4)
    weights = 12 * sum(p.numel() for p in made.parameters())
    kept = saved_tensor_bytes(made, torch.rand(6, 3, 8, 8))
    # What does not grow with the batch, such as a normalization's statistics, is counted as if it did.
    assert kept <= taken.without_checkpointing(5) - weights <= 1.1 * kept


def test_what_is_kept_is_counted_once_and_without_the_parameters():
    linear = torch.nn.Linear(5, 3)
    assert saved_tensor_bytes(linear, torch.rand(7, 5)) == 7 * 5 * 4
    twice = torch.nn.Sequential(torch.nn.Linear(5, 5), torch.nn.ReLU())
    assert saved_tensor_bytes(twice, torch.rand(7, 5)) == 2 * 7 * 5 * 4  # the input, and the output of the ReLU


def test_computing_again_keeps_less_and_the_bound_holds():
    depth, blocks = ARCHITECTURES["resnet"].depth(12), 12
    taken = estimate_memory(Setup(architecture="resnet", method="fixup", batch=4, **IMAGE))
    segment = taken.segment(blocks)
    assert 1 < segment < 3 * blocks
    made = build("resnet", depth, "fixup", 10, 3, 4)
    made.blocks_per_segment = segment
    weights = 12 * sum(p.numel() for p in made.parameters())
    assert taken.with_checkpointing(blocks) - weights < (taken.without_checkpointing(blocks) - weights) / 2
    assert saved_tensor_bytes(made, torch.rand(4, 3, 8, 8)) <= taken.with_checkpointing(blocks) - weights


def fitted(depth, free):
    return blocks_per_segment(WIDE, depth, free)


def test_everything_is_kept_where_it_fits_and_computed_again_where_it_does_not():
    taken = estimate_memory(WIDE)
    assert fitted(106, int(taken.without_checkpointing(17) / MAX_FRACTION) + 1) == 0
    assert fitted(106, int(taken.with_checkpointing(17) / MAX_FRACTION) + 1) == taken.segment(17)


def test_a_network_too_large_is_refused_with_the_depth_that_fits():
    taken = estimate_memory(WIDE)
    free = int(taken.with_checkpointing(100) / MAX_FRACTION) + 1
    with pytest.raises(CannotStart, match=r"depth=10000 .* GB, but .* free\. Use depth=604 or a smaller batch_size"):
        fitted(10_000, free)
    assert fitted(604, free) > 0
    with pytest.raises(CannotStart, match="Use depth=604 or"):
        fitted(610, free)
    with pytest.raises(CannotStart, match="no depth fits"):
        fitted(10, 1000)
