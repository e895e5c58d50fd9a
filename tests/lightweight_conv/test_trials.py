import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch

from myths.lab.data import prepared
from myths.lab.errors import CannotStart, UsageError
from myths.lab.execution import runner, try_trial
from myths.lab.execution.executors import SerialExecutor
from myths.lab.execution.try_trial import parse_settings
from myths.lab.language.transformer import TransformerConfig
from myths.lab.storage.store import Results, Store
from myths.lab.trial import Context
from myths.lightweight_conv import MYTH, evaluation, measure_speed
from myths.lightweight_conv.trials.language_models import TrainLanguageModel, language_model_kernel_sizes
from myths.lightweight_conv.trials.speed import TimeDecoding, TimeLayer
from myths.lightweight_conv.trials.translation_models import DATES, TrainTranslationModel

SMALL = {"vocabulary": 50, "embed_dim": 16, "ffn_dim": 16, "heads": 4, "encoder_layers": 1, "decoder_layers": 1, "max_length": 5}


def rows(trial):
    return trial.run(Context(trial)).rows


def bring(home, name, lines):
    path = home / "text" / f"{name}.txt"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    prepared.write_sidecar(path.with_suffix(".json"), source="", note="", sha256=prepared.folder_sha256([path], path.parent))


def test_a_translator_learns_written_dates():
    trial = TrainTranslationModel(**{**DATES, "updates": 350}, layer="lightweight")
    outcome = trial.run(Context(trial))
    (row,) = outcome.rows
    assert row["exact_match_percent"] > 10
    assert row["bleu_low"] <= row["bleu"] <= row["bleu_high"]
    assert row["source_use_nats_low"] > 0.5
    assert "tok:char" in row["signature"]
    kernel = outcome.arrays["kernel_encoder_0"]
    assert kernel.shape == (2, 31)
    np.testing.assert_allclose(kernel.sum(1), 1, rtol=1e-5)
    assert len(outcome.arrays["translations_test"]) == 200


def test_with_shuffled_sources_it_is_a_language_model():
    trial = TrainTranslationModel(
        **{**DATES, "updates": 60, "n_train_pairs": 2000, "embed_dim": 16, "beam_size": 1}, layer="dynamic", shuffle_sources=True
    )
    (row,) = rows(trial)
    assert abs(row["source_use_nats"]) < 0.05
    assert row["exact_match_percent"] < 5


def test_a_training_that_diverges_is_a_row_that_says_so(monkeypatch):
    from myths.lab.language import training

    monkeypatch.setattr(training, "lr_factor", lambda config, update: 1e12)
    (row,) = rows(dataclasses.replace(TrainTranslationModel.test_instance(), layer="dynamic-no-softmax", updates=60))
    assert row["diverged_at"] is not None
    assert "bleu" not in row


def test_own_parallel_texts_are_trained_on(tmp_path, monkeypatch):
    monkeypatch.setenv("MYTHS_DATA", str(tmp_path))
    sizes = {"train": 60, "val": 8, "test": 6}
    for part, n in sizes.items():
        bring(tmp_path, f"own.{part}.de", [f"wort{i % 7} zahl{i % 5}" for i in range(n - 1)] + [""])
        bring(tmp_path, f"own.{part}.en", [f"word{i % 7} number{i % 5}" for i in range(n)])
    trial = TrainTranslationModel(
        dataset="own",
        layer="lightweight",
        test_sets=("test",),
        updates=3,
        embed_dim=16,
        ffn_dim=16,
        subwords=30,
        batch_tokens=300,
        max_length=30,
    )
    assert trial.protocol == "reduced"
    assert "own.train.de" in trial.data
    (row,) = rows(trial)
    assert (row["n_train"], row["n_test"]) == (59, 6)
    bring(tmp_path, "own.test.en", ["too few"])
    with pytest.raises(CannotStart, match=r"own\.test\.de has 6 lines and own\.test\.en 1"):
        rows(trial)
    (row,) = rows(dataclasses.replace(trial, test_sets=("val",), subwords=9000))
    assert 30 < row["vocabulary_size"] < 200  # what 60 short sentences hold
    assert "tok:13a" in row["signature"]
    (row,) = rows(dataclasses.replace(trial, test_sets=("val",), tokenizer="intl"))
    assert "tok:intl" in row["signature"]


def test_settings_that_do_not_fit_are_refused_in_words():
    with pytest.raises(UsageError, match="Invalid heads=3: expected a divisor of embed_dim=16"):
        rows(dataclasses.replace(TrainTranslationModel.test_instance(), heads=3))
    with pytest.raises(UsageError, match=r"Invalid layer=fourier.*attention, .*dynamic"):
        parse_settings(TrainTranslationModel, ["layer=fourier", "updates=5"])
    with pytest.raises(CannotStart, match="WMT"):
        try_trial.run(MYTH, "TrainTranslationModel", ["dataset=wmt14_en_de", "layer=dynamic", "updates=1"], "cpu", Path("nowhere"))


def test_rouge_is_rouge():
    pytest.importorskip("rouge_score")
    found = evaluation.rouge(["the cat sat on the mat", "a"], ["the cat is on the mat", "a"])
    assert found["rouge1"] == pytest.approx(100 * (5 / 6 + 1) / 2)
    assert found["rouge2"] == pytest.approx(100 * (3 / 5 + 0) / 2)
    assert found["rougeL"] == pytest.approx(100 * (5 / 6 + 1) / 2)


def test_a_language_model_is_better_than_chance_and_counts_bytes():
    trial = dataclasses.replace(TrainLanguageModel.test_instance(), updates=60, embed_dim=32, warmup=5, learning_rate=5e-3, batch_size=16)
    (row,) = rows(trial)
    assert row["perplexity"] == pytest.approx(np.exp(row["test_loss_nats"]))
    assert row["perplexity"] < 0.6 * row["vocabulary_size"]
    # A character is a byte here, and the end of a line one more.
    assert row["bits_per_byte"] == pytest.approx(row["test_loss_nats"] / np.log(2), rel=1e-3)


def test_the_nats_of_a_stream_do_not_depend_on_where_it_is_cut_into_batches():
    from myths.lightweight_conv.trials.language_models import _nats

    trial = TrainLanguageModel.test_instance()
    streams, size, _ = trial.streams("cpu")
    model = trial.initial_network(Context(trial), size).eval()
    stream = streams["test"][:101]
    with torch.inference_mode():
        found = _nats(model, stream, 32, "fp32")
        one_by_one = [
            -model(stream[first : min(first + 32, 100)][None])[0]
            .log_softmax(-1)
            .gather(1, stream[first + 1 : first + 33, None])
            .sum()
            .item()
            for first in range(0, 100, 32)
        ]
    assert found == pytest.approx(sum(one_by_one) / 100, rel=1e-5)


def test_kernels_of_language_models_have_the_papers_proportions():
    assert language_model_kernel_sizes(17) == (15,) * 2 + (31,) * 4 + (63,) * 11
    assert language_model_kernel_sizes(3) == (15, 31, 63)


def test_layers_are_timed_beside_attention_and_compared():
    trial = TimeLayer(
        layers=("attention-materialized", "attention-window", "lightweight", "dynamic"), length=64, embed_dim=16, batch_tokens=128
    )
    found = {row["layer"]: row for row in rows(trial)}
    assert list(found) == ["attention", *trial.layers]
    for row in found.values():
        assert row["status"] == "ok"
        assert row["seconds"] > 0
        assert row["batch_size"] == 2
        assert row["tokens_per_second"] == pytest.approx(128 / row["seconds"])
    assert found["dynamic"]["relative_error"] < 1e-4
    assert found["attention"]["relative_error"] is None


def test_what_takes_too_long_or_too_much_is_a_row_that_says_so(monkeypatch):
    trial = TimeLayer(layers=("dynamic",), length=16, embed_dim=16, batch_tokens=32, direction="forward")
    monkeypatch.setattr(measure_speed, "MAX_SECONDS", 0.0)
    assert {row["status"] for row in rows(trial)} == {"over budget"}
    monkeypatch.setattr(measure_speed, "MAX_SECONDS", 5.0)
    real = measure_speed.build

    def build(layer, settings):
        if layer == "attention":
            raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 99 bytes")
        return real(layer, settings)

    monkeypatch.setattr(measure_speed, "build", build)
    assert [row["status"] for row in rows(trial)] == ["out of memory", "ok"]


def test_decoding_gives_sentences_of_the_length_that_is_asked():
    source, shape = torch.randint(4, 50, (2, 4)), TransformerConfig(**SMALL)
    model = measure_speed._model("dynamic", shape, Context(TimeDecoding.test_instance())).eval()
    tokens = measure_speed._translates(model, source, measure_speed.Decoding(shape, sentences=2, length=4, beam=4, dtype="float32"))()
    assert tokens.shape == (2, 4)
    assert (tokens[:, :3] != 2).all()
    assert (tokens[:, 3] == 2).all()


def test_a_worker_killed_for_memory_leaves_tables_whole(tmp_path):
    store = Store(tmp_path, MYTH.types_by_name)
    trial = TimeLayer.test_instance()
    plan = runner.plan([trial], store, prepared.sha256_of)

    def killed(trial, context):
        from myths.lab.execution.executors import Execution
        from myths.lab.trial import Outcome

        return Execution(Outcome([{"status": "out of memory"}]), 1.0, 0)

    runner.run(plan, store, runner.Invocation("cpu", prepared.sha256_of, "test"), executor=SerialExecutor(killed))
    results = Results(store.records)
    table = MYTH.tables["speed"](results)
    assert table["layer"].tolist() == ["lightweight, dynamic"]
    assert all(len(MYTH.tables[name](results)) == 0 for name in ("slopes", "decoding", "translation"))
