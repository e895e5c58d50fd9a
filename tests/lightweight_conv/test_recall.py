"""The recall task against a reader written here, and what its models can know."""

import dataclasses
import itertools

import pytest
import torch

from myths.lab.errors import CannotStart, UsageError
from myths.lab.trial import Context, Outcome
from myths.lightweight_conv.measure_speed import torch_threads
from myths.lightweight_conv.profiles import trials
from myths.lightweight_conv.recall import RecallTask
from myths.lightweight_conv.trials.language_models import TrainLanguageModel
from myths.lightweight_conv.trials.learning_rates import selected_learning_rate
from myths.lightweight_conv.trials.recall import ATTENTION, CONVOLUTION, HYBRID, TrainRecall
from myths.lightweight_conv.trials.speed import TimeDecoding, TimeLayer
from myths.lightweight_conv.trials.translation_models import TrainTranslationModel

TASK = RecallTask(symbols=16, pairs=8, gap=33, queries=15)


@pytest.mark.parametrize("pairs", [8, 3])
def test_the_value_of_a_query_is_the_token_after_its_key(pairs):
    tokens, values = TASK.draw(50, torch.Generator().manual_seed(0), pairs)
    assert tokens.shape == (50, 64)
    for line, asked in zip(tokens.tolist(), values.tolist(), strict=True):
        shown, fillers, queries = line[: 2 * pairs], line[2 * pairs : -15], line[-15:]
        book = dict(zip(shown[::2], shown[1::2], strict=True))
        assert len(book) == pairs
        assert [book[query] for query in queries] == asked
        assert set(book) <= set(range(16))
        assert set(book.values()) <= set(range(16, 32))
        assert set(fillers) <= set(range(32, 48))


def test_batches_have_all_numbers_of_pairs_and_one_length():
    drawn = TASK.batches(2, torch.Generator().manual_seed(0))
    found = {(tokens.shape[1], int((tokens[0] < 16).sum()) - 15) for tokens, _ in itertools.islice(drawn, 100)}
    assert found == {(64, pairs) for pairs in range(1, 9)}


@pytest.mark.parametrize(
    ("layers", "gap", "known"), [(CONVOLUTION, 33, False), (CONVOLUTION, 0, True), (ATTENTION, 33, True), (HYBRID, 33, True)]
)
def test_a_value_beyond_the_reach_of_the_kernels_changes_no_answer(layers, gap, known):
    """The last value of 33 fillers before the first query is out of reach; without fillers, the first key is within reach of the last."""
    trial = TrainRecall(layers=layers, gap=gap, updates=1)
    task = dataclasses.replace(TASK, gap=gap)
    model = trial.initial_network(Context(trial), task).eval()
    tokens, _ = task.draw(4, torch.Generator().manual_seed(0))
    changed = tokens.clone()
    place = 15 if gap else 0
    changed[:, place] = (tokens[:, place] + 1) % 16 + (16 if gap else 0)
    with torch.inference_mode():
        moved = (model(changed) - model(tokens)).abs().amax(-1)[:, -15:]
    assert bool((moved > 0).any(0)[-1]) == known
    assert bool((moved > 0).any()) == known


def test_a_hybrid_learns_a_small_task():
    small = {"pairs": 3, "gap": 3, "queries": 6, "symbols": 8, "embed_dim": 32, "ffn_dim": 32, "learning_rate": 5e-3}
    trial = TrainRecall(layers=HYBRID, updates=300, **small)
    (row,) = trial.run(Context(trial)).rows
    assert row["accuracy_percent"] > 80  # a guess among the three values is right in 42 %: 1/3, and 1/8 of the rest
    assert abs(row["valid_accuracy_percent"] - row["accuracy_percent"]) < 8


def test_more_pairs_than_keys_are_refused():
    with pytest.raises(UsageError, match="Invalid pairs=5: expected at most symbols=4"):
        TrainRecall(layers=ATTENTION, updates=1, pairs=5, symbols=4)


def with_losses(losses):
    candidates = tuple(TrainRecall(layers=ATTENTION, updates=1, learning_rate=rate, seed=99) for rate in losses)
    trial = TrainRecall(layers=ATTENTION, updates=1, learning_rate=0.5, candidates=candidates)
    found = {each.id: loss for each, loss in zip(candidates, losses.values(), strict=True)}
    return trial, Context(trial, outcomes=lambda each: Outcome([{"valid_loss_nats": loss} if (loss := found[each.id]) else {}]))


def test_the_learning_rate_is_that_of_the_smallest_validation_loss():
    assert selected_learning_rate(*with_losses({1e-3: 2.0, 2e-3: 1.5, 4e-3: 1.7})) == 2e-3
    assert selected_learning_rate(*with_losses({1e-3: 2.0, 2e-3: None, 4e-3: float("nan")})) == 1e-3
    assert selected_learning_rate(*with_losses({})) == 0.5
    with pytest.raises(CannotStart, match=r"all learning rates diverged: 0\.001"):
        selected_learning_rate(*with_losses({1e-3: None}))


def test_a_model_trains_with_the_learning_rate_of_its_candidates():
    for kind, change in ((TrainRecall, {}), (TrainLanguageModel, {}), (TrainTranslationModel, {"precision": "fp32"})):
        first = dataclasses.replace(kind.test_instance(), **change)
        candidates = tuple(dataclasses.replace(first, learning_rate=rate, seed=9) for rate in (1e-3, 3e-3))
        losses = dict(zip(candidates, (1.0, 2.0), strict=True))
        trial = dataclasses.replace(first, learning_rate=0.5, candidates=candidates)
        context = Context(trial, outcomes=lambda each, losses=losses: Outcome([{"valid_loss_nats": losses[each]}]))
        tuned, fixed = trial.run(context).rows[0], dataclasses.replace(first, learning_rate=1e-3).run(Context(first)).rows[0]
        assert tuned["learning_rate"] == 1e-3
        assert tuned["train_loss"] == fixed["train_loss"]
        assert tuned["valid_loss_nats"] == fixed["valid_loss_nats"]


def test_timings_leave_the_number_of_threads_as_it_was():
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(2)
        with torch_threads(1):
            assert torch.get_num_threads() == 1
        assert torch.get_num_threads() == 2
        with torch_threads(0):
            assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)


def test_the_laptop_times_five_processes_with_one_thread_and_trains_no_translator():
    listed = trials("laptop")
    timed = [trial for trial in listed if isinstance(trial, TimeLayer | TimeDecoding)]
    assert {trial.threads for trial in timed} == {1}
    groups = {}
    for trial in timed:
        groups.setdefault(dataclasses.replace(trial, seed=0).id, set()).add(trial.seed)
    assert set(map(frozenset, groups.values())) == {frozenset(range(5))}
    assert not any(isinstance(trial, TrainTranslationModel | TrainLanguageModel) for trial in listed)


def _layers(trial):
    return trial.layers if isinstance(trial, TrainRecall) else trial.layer


@pytest.mark.parametrize("profile", ["overnight", "gpu"])
def test_every_layer_selects_its_rate_from_as_many_runs_of_the_same_length(profile):
    budgets = {}
    for trial in trials(profile):
        if getattr(trial, "candidates", ()):
            key = (type(trial), getattr(trial, "dataset", "recall"), getattr(trial, "gap", 0))
            budgets.setdefault(key, set()).add(tuple((each.learning_rate, each.updates, each.seed) for each in trial.candidates))
            assert trial.seed not in {each.seed for each in trial.candidates}
            assert {_layers(each) for each in trial.candidates} == {_layers(trial)}
    assert budgets
    assert {len(found) for found in budgets.values()} == {1}


def test_an_interrupted_night_leaves_whole_pairs_and_their_controls():
    listed = [trial for trial in trials("overnight") if isinstance(trial, TrainTranslationModel)]
    pairs, longer, shuffled, others = listed[:6], listed[6:9], listed[9:12], listed[12:15]
    assert [(trial.layer, trial.seed) for trial in pairs] == [(layer, seed) for seed in range(3) for layer in ("attention", "dynamic")]
    assert {(trial.layer, trial.updates, trial.seed) for trial in longer} == {
        ("attention", 2 * pairs[0].updates, seed) for seed in range(3)
    }
    assert [trial.shuffle_sources for trial in shuffled] == [True] * 3
    assert [(trial.layer, trial.seed) for trial in others] == [("lightweight", seed) for seed in range(3)]
    seeds = [trial.seed for trial in listed[15:30]]
    assert seeds == sorted(seeds)
