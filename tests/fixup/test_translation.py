"""The transformer with Fixup, with layer normalization, with Dynamic Tanh and with none."""

import dataclasses
import importlib.util

import pandas as pd
import pytest

from myths.fixup import tables
from myths.fixup.trials.translation import REVERSED_WORDS, TrainTransformer, reversed_words
from myths.lab.errors import UsageError
from myths.lab.measures import mean_over_seeds
from myths.lab.storage.store import Results, TrialRecord
from myths.lab.trial import Context

pytestmark = pytest.mark.skipif(importlib.util.find_spec("sacrebleu") is None, reason="needs sacrebleu")


def learner(normalization, **settings):
    given = {"embed_dim": 32, "ffn_dim": 64, "layers": 1, "updates": 250, "warmup": 30, "batch_tokens": 800, "learning_rate": 5e-3}
    return dataclasses.replace(TrainTransformer.test_instance(), normalization=normalization, **{**given, **settings})


def test_words_are_spelled_backwards_and_no_test_word_is_trained_on():
    parts = {part: reversed_words(part) for part in ("train", "val", "test")}
    assert [len(parts[part]) for part in parts] == [2000, 100, 100]
    assert all(t == s[::-1] for texts in parts.values() for s, t in zip(texts.source, texts.target, strict=True))
    sources = [s for texts in parts.values() for s in texts.source]
    assert len(set(sources)) == len(sources)


@pytest.mark.parametrize("normalization", ["layer", "fixup", "dyt"])
def test_with_and_without_layer_normalization_it_learns_to_spell_backwards(normalization):
    (row,) = learner(normalization).run(Context(learner(normalization))).rows
    assert row["diverged_at"] is None
    assert row["valid_loss_nats"] < 1.5  # eight letters and the ends of words at random cost above 2


def test_a_transformer_that_diverges_is_a_result():
    trial = learner("none", learning_rate=1e30, warmup=1, updates=60)
    (row,) = trial.run(Context(trial)).rows
    assert row["diverged_at"] is not None
    assert row["bleu"] == 0


def test_fixup_is_compared_with_layer_normalization_of_its_seed():
    def records(normalization, *scores):
        settings = {"dataset": "multi30k", "updates": 100, "normalization": normalization}
        return [TrialRecord(TrainTransformer(**settings, seed=i), "ok", [{"bleu": bleu}]) for i, bleu in enumerate(scores)]

    found = tables.translations(Results(records("layer", 30.0, 32.0, 0.0) + records("fixup", 31.0, 31.0, 5.0) + records("none", 3.0, 4.8)))
    of = {name: group.set_index("seed") for name, group in found.groupby("normalization")}
    assert list(of["fixup"]["difference_from_layer_norm"]) == [1.0, -1.0, 5.0]
    assert list(of["none"]["ratio_to_layer_norm"]) == pytest.approx([0.1, 0.15])
    assert pd.isna(of["fixup"]["ratio_to_layer_norm"][2])
    assert mean_over_seeds("ratio_to_layer_norm", of["none"].reset_index()).n == 2


@pytest.mark.parametrize(("settings", "message"), [({"learning_rate": 0.0}, "> 0"), ({"updates": 0}, "Invalid updates=0")])
def test_bad_settings_are_named(settings, message):
    with pytest.raises(UsageError, match=message):
        dataclasses.replace(TrainTransformer.test_instance(), **settings)


def test_heads_that_do_not_divide_the_channels_are_named():
    with pytest.raises(UsageError, match="heads=3"):
        dataclasses.replace(TrainTransformer.test_instance(), heads=3)


def test_the_paper_s_own_data_are_missing_with_a_reason():
    trial = TrainTransformer(dataset="iwslt14", normalization="fixup", updates=10)
    assert "IWSLT" in trial.skip_reason()
    assert trial.data == ()
    assert TrainTransformer(dataset=REVERSED_WORDS, normalization="fixup", updates=10).protocol == "stand-in"
