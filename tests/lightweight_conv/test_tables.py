"""Tables, measures and claims from rows made up here, and the gpu profile in small."""

import dataclasses
import math

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from myths.lab.claim import evaluate_claims
from myths.lab.data import prepared
from myths.lab.data.user_data import add
from myths.lab.errors import UsageError
from myths.lab.execution import runner
from myths.lab.storage.run_folder import RunFolder
from myths.lab.storage.store import Results, TrialRecord
from myths.lab.verdict import Verdict
from myths.lightweight_conv import MYTH, measures, synthetic_corpora, tables
from myths.lightweight_conv.claims import CLAIMS
from myths.lightweight_conv.profiles import SMALL, trials
from myths.lightweight_conv.published import ABLATION
from myths.lightweight_conv.trials.language_models import TrainLanguageModel
from myths.lightweight_conv.trials.recall import TrainRecall
from myths.lightweight_conv.trials.speed import TimeDecoding, TimeLayer
from myths.lightweight_conv.trials.translation_models import TrainTranslationModel


def translator(layer, seed, bleu, *, parameters=1000, loss=None, **changed):
    trial = TrainTranslationModel(**{**SMALL, "updates": 500, **changed}, layer=layer, seed=seed)
    row = {"test_set": trial.test_sets[0], "bleu": bleu, "parameters": parameters, "diverged_at": None, "sentences_per_second": 10.0}
    row |= {
        "source_use_nats": 1.0 if not trial.shuffle_sources else 0.001 * seed,
        "n_valid": 100,
        "valid_loss_nats": 2.0 + 1e-4 * seed * (layer != "attention"),
    }
    if bleu is None:
        row = {"test_set": trial.test_sets[0], "parameters": parameters, "diverged_at": 7}
    if loss is not None:
        row["valid_loss_nats"] = loss
    return TrialRecord(trial, "ok", [row], seconds=1.0, device="cpu")


def verdicts(records):
    results = Results(records)
    made = {name: table(results) for name, table in MYTH.tables.items()}
    return {j.claim.id: j for j in evaluate_claims(CLAIMS, made)}


def trained(gain=0.01):
    """The controls of a comparison: shuffled sources, and attention with twice the updates."""
    shuffled = [translator("dynamic", seed, 3.0, shuffle_sources=True) for seed in range(3)]
    return shuffled + [translator("attention", seed, 25.5, updates=1000, loss=2.0 - gain - 0.001 * seed) for seed in range(3)]


def both(dynamic, *, lightweight=25.0, controls=True):
    records = [translator("attention", seed, 25 + 0.1 * seed) for seed in range(4)]
    records += [translator("dynamic", seed, dynamic + 0.1 * seed + 0.05 * (seed % 2)) for seed in range(4)]
    records += [translator("lightweight", seed, lightweight + 0.1 * seed) for seed in range(4)]
    return records + (trained() if controls else [])


def test_no_difference_is_reproduced_a_loss_is_not_and_a_gain_is_beyond_the_paper():
    tie, loss, gain = verdicts(both(25.0)), verdicts(both(23.0)), verdicts(both(27.0))
    assert tie["L2-dynamic"].verdict is Verdict.REPRODUCED
    assert tie["L2-dynamic"].estimate.value == pytest.approx(0.025)
    assert tie["L2-dynamic"].estimate.n == 4
    assert set(tie["L2-dynamic"].controls) == {"L0-parameters", "L0-shuffled", "L0-seeds", "L0-trained-translation"}
    assert tie["L2-dynamic-loss"].verdict is Verdict.REPRODUCED
    assert loss["L2-dynamic"].verdict is Verdict.NOT_SEEN
    assert gain["L2-dynamic"].verdict is Verdict.BEYOND
    assert tie["L1-wmt-en-de"].verdict is tie["L8-cnn-dm"].verdict is Verdict.NOT_TESTED


def test_a_baseline_that_twice_the_updates_improve_decides_nothing():
    untrained = verdicts([*both(25.0, controls=False), *trained(gain=0.2)])
    assert untrained["L0-trained-translation"].estimate.value == pytest.approx(0.201)
    assert untrained["L0-trained-translation"].verdict is Verdict.FAILED
    assert untrained["L2-dynamic"].verdict is Verdict.INCONCLUSIVE
    shorter = [translator(layer, seed, 15.0, updates=250, loss=4.0) for layer in ("attention", "dynamic") for seed in range(2)]
    assert verdicts([*both(25.0), *shorter])["L0-trained-translation"].estimate.value == pytest.approx(0.011)  # of the main setting only
    without = verdicts(both(25.0, controls=False))
    assert without["L0-trained-translation"].verdict is Verdict.NOT_RUN
    assert without["L2-dynamic"].verdict is Verdict.INCONCLUSIVE


def spoken(layer, seed, loss, updates=100):
    trial = TrainLanguageModel(layer=layer, seed=seed, updates=updates)
    row = {"perplexity": math.exp(loss), "valid_loss_nats": loss, "diverged_at": None}
    return TrialRecord(trial, "ok", [row], seconds=1.0, device="cpu")


@pytest.mark.parametrize(
    ("difference", "gain", "expected"),
    [
        (0.0, 0.01, Verdict.REPRODUCED),
        (-0.1, 0.01, Verdict.BEYOND),
        (0.1, 0.01, Verdict.NOT_SEEN),
        (0.0, 0.1, Verdict.INCONCLUSIVE),
        (0.0, None, Verdict.INCONCLUSIVE),
    ],
)
def test_perplexities_are_compared_at_the_end_of_training(difference, gain, expected):
    records = [spoken("attention", seed, 1.5 + 0.01 * seed) for seed in range(3)]
    records += [spoken("dynamic", seed, 1.5 + 0.011 * seed + difference) for seed in range(3)]
    records += [spoken(layer, 0, 3.0, updates=10) for layer in ("attention", "dynamic")]
    if gain is not None:
        records += [spoken("attention", seed, 1.5 + 0.0101 * seed - gain, updates=200) for seed in range(3)]
    found = verdicts(records)["L7-tinyshakespeare"]
    assert found.verdict is expected
    assert found.estimate.value == pytest.approx(np.mean([math.exp(difference + 0.001 * seed) for seed in range(3)]))


def test_candidates_select_a_learning_rate_and_are_not_compared():
    """Those of two layers have equal settings and seeds, and a higher BLEU than the models that they are candidates of."""
    settings = {**SMALL, "updates": 500}
    candidates = {
        layer: tuple(
            TrainTranslationModel(**{**settings, "updates": 100, "learning_rate": rate}, layer=layer, seed=99) for rate in (1e-3, 2e-3)
        )
        for layer in ("attention", "dynamic")
    }
    records = [
        translator(layer, seed, 25.0 + seed + (layer == "dynamic"), candidates=candidates[layer]) for layer in candidates for seed in (0, 1)
    ]
    for each in (each for layer in candidates.values() for each in layer):
        row = {"test_set": "test_2016_flickr", "bleu": 40.0, "parameters": 1000, "diverged_at": None, "valid_loss_nats": 2.0}
        records.append(TrialRecord(each, "ok", [row], seconds=1.0, device="cpu"))
    table = tables.bleu_differences(Results(records))
    assert table["bleu_difference"].tolist() == [1.0, 1.0]
    assert tables.ablation(Results(records))["bleu"].tolist() == [25.5, 26.5]
    models = tables.translation(Results(records))
    assert models.groupby("candidate")["main_setting"].all().to_dict() == {False: True, True: False}


def test_own_texts_are_answered_with_each_layer_and_how_sure_a_difference_is():
    def words(records):
        return MYTH.summarize_user_data({name: table(Results(records)) for name, table in MYTH.tables.items()})

    bleu = {"attention": [24.0, 25.0, 26.0], "dynamic": [25.0, 25.5, 26.9], "lightweight": [25.0, None, 27.0]}
    mine = [translator(layer, s, b, dataset="mine", test_sets=("test",)) for layer, each in bleu.items() for s, b in enumerate(each)]
    half = stats.t.ppf(0.975, 2) * np.std([1.0, 0.5, 0.9], ddof=1) / np.sqrt(3)
    said = words([*both(25.0), *mine]).splitlines()
    assert said[0] == (
        "mine: BLEU on the test set after 500 updates, mean of 3 training runs: self-attention 25.0, DynamicConv 25.8, LightConv 26.0"
    )
    assert said[1] == "  1 of 9 training runs diverged"
    assert f"  DynamicConv minus self-attention: +0.8 BLEU [{0.8 - half:+.1f}, {0.8 + half:+.1f}] over 3 seeds" in said
    assert len(said) == 4
    assert "one training run gives no interval" in words([line for line in mine if line.trial.seed == 0])
    assert words(both(25.0)) is None


def uses_its_source(seed):
    record = translator("dynamic", seed, 3.0, shuffle_sources=True)
    return dataclasses.replace(record, rows=[{**record.rows[0], "source_use_nats": 0.5 + 0.01 * seed}])


def test_more_parameters_or_a_source_that_a_shuffled_model_uses_spoil_the_claim():
    larger = verdicts([*both(25.0)[:4], *(translator("dynamic", s, 25.0, parameters=1100) for s in range(4))])
    assert larger["L0-parameters"].estimate.value == pytest.approx(1.1)
    assert larger["L2-dynamic"].verdict is Verdict.INCONCLUSIVE
    spoilt = verdicts([*both(25.0, controls=False), *(uses_its_source(seed) for seed in range(3)), *trained()[3:]])
    assert spoilt["L0-shuffled"].verdict is Verdict.FAILED
    assert spoilt["L2-dynamic"].verdict is Verdict.INCONCLUSIVE


def test_only_trainings_of_equal_settings_and_seeds_are_compared():
    records = [translator("attention", 0, 20.0), translator("dynamic", 0, 21.0), translator("dynamic", 1, 22.0)]
    records += [translator("dynamic", 0, 30.0, updates=900), translator("dynamic", 0, 1.0, shuffle_sources=True)]
    table = tables.bleu_differences(Results(records))
    assert table[["layer", "baseline", "seed", "bleu_difference"]].to_numpy().tolist() == [["dynamic", "attention", 0, 1.0]]


def test_claims_speak_of_the_longest_training_and_of_no_mixture():
    records = both(25.0, controls=False) + [
        translator(layer, s, b, updates=100) for s in range(3) for layer, b in (("attention", 9.0), ("dynamic", 1.0))
    ]
    found = verdicts(records)
    assert found["L2-dynamic"].estimate.n == 4
    assert found["L2-dynamic"].estimate.value == pytest.approx(0.025)
    assert found["L0-seeds"].estimate.n == 4
    table = [translator(layer, s, row.bleu + 0.01 * s, updates=100) for layer, row in ABLATION.items() for s in range(2)]
    assert verdicts([*records[:12], *table])["L3-order"].verdict is Verdict.NOT_TESTED
    assert verdicts(table)["L3-order"].estimate.n == 2


def test_a_training_that_diverged_counts_as_nothing_translated():
    records = [translator("dynamic", s, 25.0 + 0.1 * s) for s in range(3)] + [translator("dynamic-no-softmax", s, None) for s in range(3)]
    table = tables.bleu_differences(Results(records))
    assert table["bleu_difference"].tolist() == pytest.approx([25.0, 25.1, 25.2])
    row = tables.ablation(Results(records)).set_index("layer").loc["dynamic-no-softmax"]
    assert (row["diverged"], row["seeds"]) == (3, 3)
    assert math.isnan(row["bleu"])
    assert verdicts(records)["L3-diverges"].estimate.value == pytest.approx(25.1)


def test_the_order_of_the_ablation_is_spearmans():
    rows = [translator(layer, s, row.bleu + 0.01 * s) for layer, row in ABLATION.items() for s in range(2)]
    assert verdicts(rows)["L3-order"].estimate.value == pytest.approx(1, abs=0.02)
    assert measures.rank_correlation_with_paper(tables.translation(Results(rows[:4]))) is None
    swapped = {"dense-conv": 30.0}
    rows = [translator(layer, s, swapped.get(layer, row.bleu) + 0.01 * s) for layer, row in ABLATION.items() for s in range(2)]
    paper = [row.bleu for layer, row in ABLATION.items() if not layer.startswith("attention")]
    ours = [swapped.get(layer, row.bleu) for layer, row in ABLATION.items() if not layer.startswith("attention")]
    assert verdicts(rows)["L3-order"].estimate.value == pytest.approx(stats.spearmanr(ours, paper).statistic)


def test_the_largest_deviation_over_seeds_has_a_chi_square_interval():
    rows = pd.DataFrame({"dataset": "d", "test_set": "t", "layer": ["a", "a", "b", "b", "b"], "bleu": [1.0, 1.2, 10.0, 11.0, 12.0]})
    found = measures.largest_std(rows)
    assert found.value == pytest.approx(1)
    of_a, of_b = 0.1 * math.sqrt(2) * math.sqrt(1 / stats.chi2.ppf(0.025, 1)), math.sqrt(2 / stats.chi2.ppf(0.025, 2))
    assert found.high == pytest.approx(max(of_a, of_b))
    assert found.low == pytest.approx(math.sqrt(2 / stats.chi2.ppf(1 - 0.025 / 2, 2)))
    assert measures.largest_std(rows.iloc[:1]) is None


@pytest.mark.parametrize("true", [(1.3, 1.3, 1.3, 1.3), (1.1, 1.3, 1.5, 2.0)])
def test_the_smallest_ratio_over_lengths_covers_the_true_one(true):
    """Of five processes whose logarithms deviate by 0.05, with equal and with different ratios."""
    rng, lengths, draws = np.random.default_rng(0), (16, 24, 64, 128), 150
    for column, measure, extreme in (("ratio", measures.smallest_ratio, min), ("ratio", measures.largest_ratio, max)):
        covered = 0
        for _ in range(draws):
            ratios = np.array(true)[:, None] * np.exp(rng.normal(0, 0.05, (4, 5)))
            rows = pd.DataFrame({"length": np.repeat(lengths, 5), column: ratios.ravel()})
            found = measure(column, lengths, rows)
            covered += found.low <= extreme(true) <= found.high
        assert covered / draws > 0.92
    assert measures.smallest_ratio("ratio", (*lengths, 256), rows) is None
    assert measures.smallest_ratio("none", lengths, rows) is None


def test_the_interval_of_the_smallest_ratio_at_one_length_is_that_of_the_t_test():
    values = [1.2, 1.25, 1.3, 1.22, 1.27]
    found = measures.smallest_ratio("ratio", (24,), pd.DataFrame({"length": 24, "ratio": values}))
    ends = stats.ttest_1samp(np.log(values), 0).confidence_interval()
    assert (found.low, found.high) == pytest.approx((math.exp(ends.low), math.exp(ends.high)))
    assert (found.value, found.n, found.source_of_variation) == (pytest.approx(stats.gmean(values)), 5, "processes")


def test_the_spread_of_processes_is_that_of_the_worst_length():
    rows = pd.DataFrame({"length": [16, 16, 24, 24, 64], "threads": 1, "ratio": [1.0, 1.1, 2.0, 2.5, 9.0]})
    assert measures.process_spread("ratio", rows).value == pytest.approx(25)
    assert measures.process_spread("ratio", rows.iloc[[0, 2]]) is None
    for column, other in (("causal", True), ("embed_dim", 1024), ("batch_tokens", 99), ("beam_size", 5)):
        other_setting = rows.assign(ratio=7 * rows["ratio"], **{column: other})
        both = pd.concat([rows.assign(**{column: 0}), other_setting])
        assert measures.process_spread("ratio", both).value == pytest.approx(25), column


def timed(length, seconds, *, direction="training", block=False, **changed):
    layers = tuple(layer for layer in seconds if layer != "attention")
    trial = TimeLayer(layers=layers, length=length, direction=direction, block=block, batch_tokens=8192, **changed)
    rows = [
        {
            "layer": layer,
            "status": "ok",
            "seconds": s,
            "q25_seconds": 0.9 * s,
            "q75_seconds": 1.1 * s,
            "repeats": 5,
            "batch_size": max(1, 8192 // length),
        }
        if s
        else {"layer": layer, "status": "over budget", "batch_size": 1}
        for layer, s in seconds.items()
    ]
    return TrialRecord(trial, "ok", rows, seconds=1.0, device="cpu")


def test_slopes_crossovers_and_ratios_are_those_of_the_times():
    lengths = [2**p for p in range(5, 14)]
    records = []
    for n in lengths:
        of_sequence = {"attention": 1e-9 * n**2, "attention-materialized": 2e-9 * n**2 if n < 8192 else None, "dynamic": 3e-7 * n}
        batch = 8192 // n
        of_batch = {layer: s and batch * s for layer, s in of_sequence.items()}
        records += [timed(n, of_batch, block=block) for block in (False, True)]
    results = Results(records)
    slopes = tables.slopes(results).set_index(["layer", "scope"])["slope"]
    assert slopes["attention", "layer"] == pytest.approx(2)
    assert slopes["dynamic", "block"] == pytest.approx(1)
    crossing = tables.crossover(results).set_index(["layer", "scope"])
    assert crossing.loc[("dynamic", "layer"), "crossover_length"] == 512
    assert crossing.loc[("dynamic", "layer"), "crossover_length_materialized"] == 256
    assert math.isnan(crossing.loc[("attention-materialized", "layer"), "crossover_length"])


def processes(n, seconds, **changed):
    """Timings of five processes with one thread; the times of DynamicConv vary by a percent, others by enough for an interval."""
    varied = {"attention": 1e-7 * math.log2(n), "attention-materialized": 0.0, "dynamic": 0.01 + 1e-7 * math.log2(n)}
    return [
        timed(n, {layer: s * (1 + varied[layer] * seed) for layer, s in seconds.items()}, threads=1, seed=seed, **changed)
        for seed in range(5)
    ]


def exact_timings():
    record = timed(128, {"attention": 1.0, "dynamic": 1.0})
    return dataclasses.replace(record, rows=[{**row, "relative_error": 1e-6} for row in record.rows])


def test_claims_on_time_have_a_number_of_each_process():
    lengths = [2**p for p in range(7, 14)]
    of_batch = {n: {"attention": 1e-9 * n * 8192, "attention-materialized": 3e-9 * n * 8192, "dynamic": 3e-7 * 8192} for n in lengths}
    records = [record for n in lengths for block in (False, True) for record in processes(n, of_batch[n], block=block)]
    found = verdicts([*records, exact_timings()])
    assert found["L5-dynamic"].verdict is found["L5-attention"].verdict is Verdict.REPRODUCED
    assert (found["L5-attention"].estimate.n, found["L5-attention"].estimate.value) == (5, pytest.approx(2))
    assert found["L4-length-plain"].verdict is Verdict.REPRODUCED
    slower = [1 + 0.01 * seed for seed in range(5)]
    assert found["L4-length-plain"].estimate.value == pytest.approx(3 * 128 / 300 / stats.gmean(slower), rel=1e-5)
    assert found["L4-length-fused"].estimate.value == pytest.approx(128 / 300 / stats.gmean(slower), rel=1e-5)
    assert found["L4-length-fused"].verdict is Verdict.NOT_SEEN
    assert set(found["L4-length-plain"].controls) == {"L0-exact", "L0-processes-speed"}
    few = verdicts([*(record for record in records if record.trial.seed < 4), exact_timings()])
    assert few["L4-length-plain"].verdict is Verdict.INCONCLUSIVE
    assert verdicts(records)["L4-length-plain"].verdict is Verdict.INCONCLUSIVE  # nothing says that the result is right
    assert verdicts([record for record in records if record.trial.length < 4096])["L4-length-plain"].estimate is None


def decoded(length, seed, factor, **changed):
    trial = TimeDecoding(layers=("attention-materialized", "dynamic"), length=length, seed=seed, threads=1, **changed)
    seconds = {"attention": 1.0 + 1e-7 * seed, "attention-materialized": factor, "dynamic": 1.0}
    rows = [{"layer": layer, "status": "ok", "seconds": s, "repeats": 5} for layer, s in seconds.items()]
    return TrialRecord(trial, "ok", rows, seconds=1.0, device="cpu")


def test_the_ratio_of_decoding_is_the_smallest_geometric_mean_over_lengths():
    ratios = {16: (1.3, 1.32, 1.31, 1.3, 1.29), 24: (1.2, 1.25, 1.22, 1.21, 1.24), 64: (1.5,) * 5, 128: (2.0,) * 5}
    records = [decoded(length, seed, factor) for length, group in ratios.items() for seed, factor in enumerate(group)]
    found = verdicts([*records, exact_timings()])
    assert found["L4-decoding"].estimate.value == pytest.approx(stats.gmean(ratios[24]))
    assert found["L4-decoding"].verdict is Verdict.REPRODUCED
    assert found["T6-fused-decoding"].estimate.value == pytest.approx(1)
    assert found["T6-fused-decoding"].verdict is Verdict.REPRODUCED
    assert found["L4-gpu-decoding"].verdict is Verdict.NOT_TESTED
    assert found["L4-decoding"].primary
    assert not found["L4-gpu-decoding"].primary
    assert verdicts(records[5:])["L4-decoding"].estimate is None  # a length is missing
    on_gpu = [
        dataclasses.replace(decoded(length, seed, 1.5 + 0.01 * seed, dtype="bfloat16"), device="cuda:0")
        for length in (24, 128)
        for seed in range(5)
    ]
    assert verdicts(on_gpu)["L4-gpu-decoding"].primary


def recalled(layers, seed, percent, *, parameters=1000, gap=33, **changed):
    trial = TrainRecall(layers=tuple(layers.split(", ")), updates=9, gap=gap, seed=seed, **changed)
    return TrialRecord(trial, "ok", [{"layers": layers, "accuracy_percent": percent, "parameters": parameters}], seconds=1.0, device="cpu")


def test_recall_of_convolutions_attention_and_a_hybrid():
    records = [recalled("attention, attention", seed, 99.0 + 0.1 * seed) for seed in range(5)]
    records += [recalled("dynamic, dynamic", seed, 6.0 + 0.2 * seed, parameters=1010) for seed in range(5)]
    records += [recalled("dynamic, attention", seed, 98.0 + 0.2 * seed, parameters=900) for seed in range(5)]
    records += [recalled("dynamic, dynamic", seed, 60.0 + 0.2 * seed, gap=0) for seed in range(5)]
    found = verdicts(records)
    assert [found[name].verdict for name in ("T6-recall", "T6-recall-near", "T6-hybrid")] == [
        Verdict.REPRODUCED, Verdict.NOT_SEEN, Verdict.REPRODUCED,
    ]  # fmt: skip
    closed = [100 * (98 + 0.2 * s - 6 - 0.2 * s) / (99 + 0.1 * s - 6 - 0.2 * s) for s in range(5)]
    assert found["T6-hybrid"].estimate.value == pytest.approx(np.mean(closed))
    assert found["L0-trained-recall"].estimate.high <= 100
    figure = MYTH.figures["recall"]({"recall": tables.recall(Results(records))})
    far, near = ([line.get_ydata().tolist() for line in ax.lines] for ax in figure.axes)
    assert near == [pytest.approx([60.0, 60.2, 60.4, 60.6, 60.8])]
    assert [line[0] for line in far] == [99.0, 6.0, 98.0]
    larger = verdicts([*records, recalled("dynamic, dynamic", 5, 6.0, parameters=1100)])
    assert larger["T6-recall"].verdict is Verdict.INCONCLUSIVE
    untrained = verdicts([*records[5:], *(recalled("attention, attention", seed, 40.0 + seed) for seed in range(5))])
    assert untrained["T6-recall"].verdict is Verdict.INCONCLUSIVE
    candidate = TrainRecall(layers=("dynamic", "dynamic"), updates=9, learning_rate=0.5, seed=99)
    candidate_row = [{"layers": "dynamic, dynamic", "accuracy_percent": 90.0, "parameters": 1000}]
    chosen = [recalled("dynamic, dynamic", seed, 6.0, candidates=(candidate,)) for seed in range(5)]
    table = tables.recall(Results([*chosen, TrialRecord(candidate, "ok", candidate_row, seconds=1.0, device="cpu")]))
    assert table[~table["candidate"]]["accuracy_percent"].tolist() == [6.0] * 5
    assert table["candidate"].sum() == 1


def test_no_seed_is_too_few_seeds():
    with pytest.raises(UsageError, match="--seeds 0"):
        trials("quick", 0)


def test_own_texts_are_trained_on_and_nothing_else(tmp_path, monkeypatch):
    monkeypatch.setenv("MYTHS_DATA", str(tmp_path / "data"))
    for split in ("train", "val", "test"):
        for language in ("en", "it"):
            (tmp_path / f"{split}.{language}").write_text(f"{split} {language}\n" * 2)
    add("mine", tmp_path)
    own = trials("laptop", None, ("mine",))
    assert {(trial.source, trial.target) for trial in own} == {("en", "it")}
    assert {trial.dataset for trial in own} == {"mine"}
    assert {name.split(".")[0] for trial in own for name in trial.data} == {"mine"}
    assert {trial.tokenizer for trial in own} == {"13a"}


def test_the_tokenizer_of_the_target_is_part_of_the_trial(tmp_path, monkeypatch):
    monkeypatch.setenv("MYTHS_DATA", str(tmp_path / "data"))
    for split in ("train", "val", "test"):
        for language in ("en", "zh-Hant"):
            (tmp_path / f"{split}.{language}").write_text(f"{split} {language}\n" * 2)
    add("mine", tmp_path)
    own = trials("laptop", None, ("mine",))
    assert {(trial.source, trial.target, trial.tokenizer) for trial in own} == {("en", "zh-hant", "zh")}
    add("back", tmp_path, {"source": "zh_Hant", "target": "en"})
    assert {(trial.source, trial.target) for trial in trials("laptop", None, ("back",))} == {("zh-hant", "en")}
    assert len({trial.id for trial in own} | {dataclasses.replace(trial, tokenizer="").id for trial in own}) == 2 * len(own)


SMALLER = {
    TrainTranslationModel: {
        "dataset": "dates", "test_sets": ("test",), "embed_dim": 16, "ffn_dim": 16, "heads": 2, "encoder_layers": 1, "decoder_layers": 1,
        "subwords": 0, "max_length": 40, "n_train_pairs": 60, "updates": 1, "batch_tokens": 200, "beam_size": 1, "precision": "fp32",
    },
    TrainLanguageModel: {
        "dataset": "numbers", "embed_dim": 16, "ffn_dim": 16, "heads": 2, "layers": 1, "context_length": 16, "batch_size": 2, "updates": 2,
        "subwords": 0, "precision": "fp32",
    },
    TrainRecall: {
        "pairs": 2, "gap": 2, "queries": 2, "symbols": 4, "embed_dim": 16, "ffn_dim": 16, "kernel_heads": 2, "batch_size": 4, "updates": 2,
    },
    TimeLayer: {"embed_dim": 16, "heads": 2, "batch_tokens": 32, "length": 16, "dtype": "float32"},
    TimeDecoding: {
        "embed_dim": 16, "ffn_dim": 16, "heads": 2, "encoder_layers": 1, "decoder_layers": 1, "vocabulary_size": 30,
        "batch_size": 2, "length": 4, "dtype": "float32",
    },
}  # fmt: skip


def smaller(trial):
    if type(trial) in SMALLER:
        few = {"candidates": tuple(map(smaller, trial.candidates[:1]))} if getattr(trial, "candidates", ()) else {}
        return dataclasses.replace(trial, **SMALLER[type(trial)], **few)
    return dataclasses.replace(trial, model=smaller(trial.model))


def test_the_profiles_gpu_and_paper_run_in_small_and_give_every_table_and_figure(tmp_path, monkeypatch):
    monkeypatch.setattr(synthetic_corpora, "N_PAIRS", {"train": 60, "val": 10, "test": 10})
    planned = [*trials("gpu", 2), *trials("paper", 2)]  # the ablation, language models and recall are in "paper" only
    pairs = [t for t in planned if getattr(t, "seed", 0) == 0 or getattr(t, "layer", "") in ("attention", "dynamic")]
    listed = list({t.id: t for t in map(smaller, pairs)}.values())
    assert {type(t) for t in listed} == set(MYTH.trial_types)
    run = RunFolder(tmp_path / "gpu")
    store = run.store(MYTH)
    done = runner.run(runner.plan(listed, store, prepared.sha256_of), store, runner.Invocation("cpu", prepared.sha256_of, "test"))
    assert done.failed == []
    results = Results(store.records)
    made = {name: table(results) for name, table in MYTH.tables.items()}
    assert all(len(table) for name, table in made.items() if name not in ("slopes", "longer_training"))  # one length of each
    assert set(made["ablation"]["layer"]) == {*ABLATION, "dynamic-no-softmax"}
    assert np.isfinite(made["language_modeling"]["perplexity_ratio"]).all()
    for name, figure in MYTH.figures.items():
        assert figure(made) is not None, name
    assert all(figure({name: table.iloc[:0] for name, table in made.items()}) is None for figure in MYTH.figures.values())
    judged = {j.claim.id: j for j in evaluate_claims(CLAIMS, made)}
    assert judged["L2-dynamic"].verdict is Verdict.ILLUSTRATION


def test_bleu_stands_against_the_speed_that_was_timed_alone():
    shared = {
        "dataset": "multi30k",
        "test_set": "test_2016_flickr",
        "setting": "",
        "updates": 9,
        "seeds": 2,
        "bleu_std": 0.5,
        "protocol": "reduced",
    }
    ablation = pd.DataFrame(
        [{**shared, "layer": layer, "bleu": 20.0 + i, "parameters": 10**6} for i, layer in enumerate(("attention", "dynamic"))]
    )
    speeds = ((24, "attention", 10.0), (24, "attention", 30.0), (24, "attention", 12.0), (128, "dynamic", 99.0), (24, "dynamic", 40.0))
    decoding = pd.DataFrame(speeds, columns=["length", "layer", "sentences_per_second"])
    without = MYTH.figures["quality"]({"ablation": ablation, "decoding": pd.DataFrame()})
    figure = MYTH.figures["quality"]({"ablation": ablation, "decoding": decoding})
    assert len(without.axes) == 1
    drawn = [float(bar.lines[0].get_xdata()[0]) for bar in figure.axes[1].containers]
    assert sorted(drawn) == [12.0, 40.0]
