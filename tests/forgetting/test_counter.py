"""Counting against a per-example Python reference that follows the published definition, on random trainings."""

import itertools

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from myths.forgetting.counter import ForgettingCounter
from myths.lab.vision.networks import build
from myths.lab.vision.training import Batch, Hooks, TrainConfig, fit


def reference(right, margins):
    """As ``order_examples_by_forgetting.py`` computes it, from the list of one example's presentations."""
    steps = list(itertools.pairwise(right))
    learnt = [t for t, r in enumerate(right, start=1) if r]
    events = sum(a and not b for a, b in steps)
    return {
        "counts": events if learnt else len(right),
        "learning_events": sum(b and not a for a, b in steps),
        "first_learned": learnt[0] if learnt else 0,
        "margin": np.mean(margins),
    }


def batches(logits, labels, order, size):
    """Presents [epochs, n, classes] logits in minibatches, each epoch in its own order."""
    for epoch, permutation in enumerate(order):
        for first in range(0, len(labels), size):
            i = torch.as_tensor(permutation[first : first + size])
            here = logits[epoch, i]
            losses = torch.nn.functional.cross_entropy(here, labels[i], reduction="none")
            yield Batch(i, torch.zeros(len(i), 1, 1, 1), labels[i], here, losses)


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 7), st.integers(1, 9), st.integers(2, 4), st.integers(1, 9), st.integers(0, 2**32 - 1))
def test_counts_are_those_of_the_reference(epochs, n, classes, size, seed):
    rng = np.random.default_rng(seed)
    logits = torch.from_numpy(rng.normal(size=(epochs, n, classes)).astype(np.float32))
    labels = torch.from_numpy(rng.integers(classes, size=n))
    counter = ForgettingCounter(n, "cpu", snapshots=range(1, epochs))
    for batch in batches(logits, labels, [rng.permutation(n) for _ in range(epochs)], size):
        counter.observe(batch)
    found = counter.arrays()
    for i in range(n):
        own = logits[:, i, labels[i]].numpy()
        others = np.delete(logits[:, i].numpy(), int(labels[i]), axis=1).max(1)
        right = (logits[:, i].argmax(1) == labels[i]).tolist()
        expected = reference(right, own - others)
        assert {name: found[name][i] for name in ("counts", "learning_events", "first_learned")} == {
            name: expected[name] for name in ("counts", "learning_events", "first_learned")
        }
        assert found["margin"][i] == pytest.approx(expected["margin"], rel=1e-4, abs=1e-5)
        for epoch in range(1, epochs):
            assert found[f"counts_after_{epoch}"][i] == reference(right[:epoch], [0])["counts"]


@pytest.mark.parametrize(
    ("right", "count", "learnt", "first"),
    [("1111", 0, 0, 1), ("0000", 4, 0, 0), ("0111", 0, 1, 2), ("1010", 2, 1, 1), ("0001", 0, 1, 4), ("1000", 1, 0, 1)],
)
def test_the_definition_by_hand(right, count, learnt, first):
    logits = torch.tensor([[[0.0, 1.0 if r == "1" else -1.0]] for r in right])
    counter = ForgettingCounter(1, "cpu")
    for batch in batches(logits, torch.tensor([1]), [[0]] * len(right), 1):
        counter.observe(batch)
    assert (int(counter.counts()), int(counter.learning_events), int(counter.first_learned)) == (count, learnt, first)
    assert counter.margin().item() == pytest.approx(np.mean([1 if r == "1" else -1 for r in right]))


def test_in_the_loop_it_judges_the_augmented_batch_before_its_update_and_changes_no_weight():
    generator = torch.Generator().manual_seed(0)
    x = torch.randint(0, 256, (90, 3, 16, 16), generator=generator).to(torch.uint8)
    y = torch.randint(0, 4, (90,), generator=generator)
    seen, weights = [], []
    counter = ForgettingCounter(90, "cpu")

    def watch(batch):
        counter.observe(batch)
        seen.append(batch)

    for hook in (watch, None):
        torch.manual_seed(0)
        network = build("small_cnn", 4, 3, 16)
        generators = {"order": torch.Generator().manual_seed(1), "augmentation": torch.Generator().manual_seed(2)}
        fit(network, x, y, TrainConfig(epochs=5.0, batch_size=16), device="cpu", hooks=Hooks(on_batch=hook), **generators)
        weights.append(network.state_dict())
    assert all(torch.equal(a, b) for a, b in zip(*(w.values() for w in weights), strict=True))
    right = {i: [] for i in range(90)}
    for batch in seen:
        for i, r in zip(batch.indices.tolist(), (batch.logits.argmax(1) == batch.labels).tolist(), strict=True):
            right[i].append(r)
    assert counter.counts().tolist() == [reference(right[i], [0])["counts"] for i in range(90)]
    assert counter.n_presentations.tolist() == [5] * 90
