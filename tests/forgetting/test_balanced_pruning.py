"""What is advised to be dropped keeps every class."""

import numpy as np
import pandas as pd
from hypothesis import given
from hypothesis import strategies as st

from myths.forgetting import MYTH
from myths.forgetting.balanced_pruning import MIN_EXAMPLES, MIN_KEPT_EXAMPLES, MIN_KEPT_FRACTION, balanced, nearly_removed

SETS = st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 2)), min_size=1, max_size=260)


def places(events):
    return np.argsort(np.argsort(events, kind="stable"), kind="stable") + 1


@given(SETS)
def test_every_class_keeps_enough_and_only_the_never_forgotten_go(examples):
    labels, events = [label for label, _ in examples], np.array([float(n) for _, n in examples])
    place, droppable = balanced(labels, events, places(events))
    assert sorted(place) == list(range(1, len(labels) + 1))
    assert not (droppable & (events > 0)).any()
    share = (events == 0).mean()
    for label in set(labels):
        mine = np.array(labels) == label
        lost = int((droppable & mine).sum())
        assert lost <= share * mine.sum()
        assert lost == 0 or mine.sum() - lost >= max(MIN_KEPT_EXAMPLES, MIN_KEPT_FRACTION * mine.sum())
    if len(labels) < MIN_EXAMPLES:
        assert not droppable.any()


@given(SETS, st.floats(0, 1))
def test_any_beginning_of_the_balanced_order_shrinks_all_classes_alike(examples, share):
    labels, events = np.array([label for label, _ in examples]), np.array([float(n) for _, n in examples])
    place, _ = balanced(labels.tolist(), events, places(events))
    first = place <= share * len(labels)
    for label in set(labels.tolist()):
        mine = labels == label
        assert abs((first & mine).sum() - first.sum() * mine.sum() / len(labels)) <= len(set(labels.tolist()))


def test_the_balanced_order_is_the_plain_one_within_a_class():
    labels, events = ["a", "b"] * 60, np.tile([0.0, 1.0, 2.0], 40)
    place, _ = balanced(labels, events, places(events))
    for label in "ab":
        mine = np.array(labels) == label
        assert (np.argsort(place[mine]) == np.argsort(places(events)[mine])).all()


def tables(counts):
    """The tables of sets in which nothing is ever forgotten, by the number of examples of each class."""
    labels = [label for label, n in counts.items() for _ in range(n)]
    n = len(labels)
    rows = pd.DataFrame({"dataset": "mine", "label": labels, "index": range(n), "file": "", "events": 0.0, "never_forgotten": True})
    place, droppable = balanced(labels, np.zeros(n), np.arange(1, n + 1))
    listed = rows.assign(balanced_rank=place, prunable=droppable)
    return {"user_examples": rows, "pruning_list_balanced": listed, "held_out": pd.DataFrame(), "label_errors": pd.DataFrame()}


def test_a_small_set_gets_no_advice_to_drop_it():
    words = MYTH.summarize_user_data(tables({"cat": 30, "dog": 30, "bird": 1}))
    assert "pruning needs at least 100 examples" in words
    assert "60 of them" not in words


def test_a_rare_class_is_kept_and_named():
    found = tables({"cat": 300, "dog": 300, "bird": 3})
    list_ = found["pruning_list_balanced"]
    assert not list_[list_["label"] == "bird"]["prunable"].any()
    words = MYTH.summarize_user_data(found)
    assert "480 of them can be pruned while every class is kept" in words
    assert "bird (0 of 3 left)" in words
    assert nearly_removed(["a"] * 10 + ["b"] * 10, [0.0] * 9 + [1.0] + [0.0] * 5 + [1.0] * 5) == [("a", 1, 10)]
