"""Numbers in the changelog and in the documents are those of the published runs."""

import re
from operator import attrgetter
from pathlib import Path

import pandas as pd
import pytest

from myths import suite
from myths.hessian_cost.trials import CompareHessians
from myths.lab.estimate import student_t
from myths.run_summaries import summaries
from myths.wiring.measures import FRESH_SEED
from myths.wiring.trials import TrainWirings

ROOT = Path(__file__).parents[1]
CHANGELOG = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
CLAIMS = {claim.id: claim for myth in suite.OURS for claim in myth.claims}
MEASURED = [
    record
    for myth in suite.OURS
    for each in summaries(myth, suite.BUNDLED)
    if each.run.is_published
    for record in each.claims
    if record.estimate is not None and record.claim in CLAIMS
]
"""Every published number."""


def test_the_footguns_name_how_much_processes_differ():
    spreads = {CompareHessians: [], None: []}
    for record in MEASURED:
        if record.unit == "% between processes" or record.claim.startswith("L0-processes"):
            kind = CLAIMS[record.claim].trial
            spreads[kind if kind in spreads else None].append(record.estimate)
    alternating, others = (f"{min(found):.0f} to {max(found):.0f} %" for found in spreads.values())
    text = (ROOT / "docs" / "footguns.md").read_text(encoding="utf-8")
    assert f"processes differ by {alternating} on these ratios, and by {others} on other ratios of times" in text
    assert f"Processes differ by {others} on ratios of times" in CHANGELOG


def test_the_changelog_counts_the_numbers_that_are_older_than_their_criterion():
    """Claims whose author declared them blind, and whose run shows that they are not."""
    found = [record for record in MEASURED if CLAIMS[record.claim].blind and not record.blind]
    assert f"It concerns {len(found)} published numbers, none of them primary." in CHANGELOG
    assert not any(record.primary for record in found)


def test_what_the_changelog_calls_not_measured_is_not_measured():
    named = re.findall(r"no run has measured ([A-Z]\w*(?:-\w+)*)", CHANGELOG, flags=re.IGNORECASE)
    assert named
    assert [record.claim for record in MEASURED if any(record.claim.startswith(name) for name in named)] == []


def test_the_changelog_names_the_pairs_of_w8_that_the_profile_trains():
    trials = suite.find("wiring").trials("laptop", None, ())
    arms = [trial.arm for trial in trials if isinstance(trial, TrainWirings) and trial.seed >= FRESH_SEED]
    pairs = {arms.count(arm) for arm in set(arms)}
    assert set(re.findall(r"W8 counts (\d+) new pairs", CHANGELOG)) == {str(n) for n in pairs}
    assert "`laptop` trains 16 pairs" not in CHANGELOG


def test_what_a_network_without_branches_reaches_is_in_the_published_tables():
    tables = [pd.read_csv(suite.BUNDLED / run / "fixup" / "share_of_shallow.csv") for run in ("cpu-laptop", "cpu-overnight")]
    alone = pd.concat(table[table["method"] == "no-branches"] for table in tables)
    shares = alone.groupby(["depth", "image_size"])["share_of_shallow_percent"].mean()
    assert f"{shares.min():.0f} to {shares.max():.0f} % of the accuracy above chance of 22 layers" in CHANGELOG
    seeds = tables[1].query("method == 'no-branches' and depth == 1000")["share_of_shallow_percent"]
    text = suite.find("fixup").discussion
    assert f"{seeds.min():.0f} to {seeds.max():.0f} % of the accuracy above chance of 22 layers, on average {seeds.mean():.0f} %" in text
    better = pd.read_csv(suite.BUNDLED / "cpu-overnight" / "fixup" / "claims.csv").set_index("claim").loc["U0-branches-1000", "estimate"]
    assert f"1,000 layers with Fixup are {better:.1f} points more accurate" in text


def test_what_limits_the_precision_of_features_is_in_the_published_tables():
    text, tables = suite.find("dataset-bias").discussion, suite.BUNDLED / "cpu-laptop" / "dataset_bias"
    drop = pd.read_csv(tables / "cross_dataset_drop.csv").query("task == 'office-caltech'")
    means = drop.groupby("feature")[["self_percent", "mean_others_percent", "advantage_pp", "advantage_log_odds"]].mean()
    before, after = means.loc["hog"], means.loc["squeezenet"]
    assert f"from {before['self_percent']:.0f} to {after['self_percent']:.0f} % in-domain" in text
    assert f"from {before['mean_others_percent']:.0f} to {after['mean_others_percent']:.0f} % across datasets" in text
    assert after["advantage_pp"] < before["advantage_pp"] / 2
    assert after["advantage_log_odds"] == pytest.approx(before["advantage_log_odds"], rel=0.1)
    photos = pd.read_csv(tables / "leave_one_out.csv").query("group == 'photos' and left_out.notna()")
    four = photos.groupby("left_out")["accuracy_percent"].mean()
    assert len(four) == 5
    assert f"classifies {four.min():.0f} to {four.max():.0f} % of the images correctly" in text


def test_what_everyday_changes_leave_is_in_the_published_tables():
    text, tables = suite.find("saliency").discussion, suite.BUNDLED / "cpu-laptop" / "saliency"
    left = pd.read_csv(tables / "everyday_differences.csv").set_index(["comparison", "method"])["value"].mul(100).round()
    assert f"{left['all changes', 'gradient']:.0f} % of the top 1,000 pixels of the simple gradient: 19 % after a shift" in text
    assert f"(LENS), they leave {left['all changes, LENS', 'gradient']:.0f} %, more than the limit" in text
    assert f"Of Grad-CAM, they leave {left['all changes', 'grad-cam']:.0f} %" in text
    each = pd.read_csv(tables / "everyday_changes.csv").query("method == 'gradient'").set_index("change")["intersection"].mul(100).round()
    assert each[["shift", "rotation", "jpeg", "brightness"]].tolist() == [19, 13, 37, 60]
    attacks = pd.read_csv(tables / "attacks.csv").query("method == 'grad-cam' and attack == 'top-k' and epsilon == 8")
    assert f"an attack on Grad-CAM leaves {100 * attacks['intersection'].item():.0f} %" in text


def test_the_numbers_of_today_are_in_the_published_tables():
    text = suite.find("hessian-cost").discussion
    runs = [pd.read_csv(suite.BUNDLED / run / "hessian_cost" / "comparisons.csv") for run in ("cpu-laptop", "cpu-xeon")]
    jax = [run[(run["method"] == "jax") & (run["n_variables"] == 1024)] for run in runs]
    logreg, quad = (
        sorted(round(run[(run["problem"] == problem) & (run["reference"] == "closed-form")]["ratio"].median()) for run in jax)
        for problem in ("logreg", "quad")
    )
    assert f"takes {logreg[0]} to {logreg[1]} times as long as the closed form on logistic regression and {quad[0]} to {quad[1]}" in text
    loop = sorted(run[(run["reference"] == "torch-loop") & (run["problem"] == "matfac")]["ratio"].median() for run in jax)
    assert f"it takes {loop[0]:.1f} to {loop[1]:.1f} times as long as the row loop" in text
    scarce = pd.read_csv(suite.BUNDLED / "cpu-overnight" / "forgetting" / "claims.csv").set_index("claim").loc["T4-scarce-cifar10"]
    assert f"costs {scarce['estimate']:.1f} points less than a random 30 %" in suite.find("forgetting").discussion
    decoding = pd.read_csv(suite.BUNDLED / "cpu-laptop" / "lightweight_conv" / "decoding.csv").query("layer == 'dynamic'")
    faster = decoding.groupby("length")[["speedup_over_attention", "speedup_over_materialized"]].mean()
    assert faster.round(1).loc[[16, 128]].to_numpy().tolist() == [[1.1, 1.1], [1.6, 1.6]]
    text = suite.find("lightweight-conv").discussion
    assert "1.1 times as fast at 16 tokens and 1.6 times at 128" in text
    recall = pd.read_csv(suite.BUNDLED / "cpu-laptop" / "lightweight_conv" / "claims.csv").set_index("claim").loc["L0-trained-recall"]
    assert recall["estimate"] == pytest.approx(25, abs=2)
    assert "attention itself recalls only a quarter of the values" in text


def of_translation(run, column):
    """Return a column of the models of a run, by layer, seed and number of updates."""
    table = pd.read_csv(suite.BUNDLED / run / "lightweight_conv" / "translation.csv")
    table = table[~table["shuffle_sources"] & ~table["candidate"]]
    return table.pivot_table(index=["layer", "seed"], columns="updates", values=column)


def test_what_twice_the_updates_give_attention_is_in_the_published_tables():
    text = suite.find("lightweight-conv").discussion
    bleu, loss = (of_translation("cpu-undertrained", column) for column in ("bleu", "valid_loss_nats"))
    ahead = (bleu.loc["dynamic", 4000] - bleu.loc["attention", 4000]).mean()
    gained = (bleu.loc["attention", 8000] - bleu.loc["attention", 4000]).mean()
    assert f"DynamicConv is {ahead:.1f} BLEU ahead then, of which self-attention makes up {gained:.1f} BLEU by twice the updates" in text
    assert f"DynamicConv is {ahead:.1f} BLEU ahead after 4,000 updates" in CHANGELOG
    lowered = (loss.loc["attention", 4000] - loss.loc["attention", 8000]).mean()
    assert f"lower the loss of self-attention by {lowered:.2f} nats" in CHANGELOG

    bleu, loss = (of_translation("cpu-overnight", column) for column in ("bleu", "valid_loss_nats"))
    ahead = bleu.loc["dynamic"] - bleu.loc["attention"]
    gained = (bleu.loc["attention", 6000] - bleu.loc["attention", 3000]).mean()
    again = (bleu.loc["attention", 12000] - bleu.loc["attention", 6000]).mean()
    assert f"it gains {gained:.1f} BLEU from 6,000 updates in place of 3,000 and another {again:.1f} BLEU from 12,000" in text
    assert f"DynamicConv is {ahead[6000].mean():.1f} BLEU ahead after 6,000" in text
    assert f"DynamicConv is {ahead[3000].mean():.1f} BLEU ahead after 3,000 updates" in CHANGELOG
    lowered = (loss.loc["attention", 3000] - loss.loc["attention", 6000]).mean()
    assert f"lower the loss of self-attention by {lowered:.2f} nats, again more than the margin" in CHANGELOG
    (night,) = (each for each in summaries(suite.find("lightweight-conv"), suite.BUNDLED) if each.run.name == "cpu-overnight")
    (found,) = (record for record in night.claims if record.claim == "L2-dynamic")
    value, low, high = (f"{number:.1f}" for number in attrgetter("value", "low", "high")(found.measured))
    assert f"DynamicConv is {value} BLEU [{low}, {high}] ahead (L2-dynamic)" in CHANGELOG
    (found,) = (record for record in night.claims if record.claim == "L2-lightweight")
    value, low, high = (f"{number:.1f}" for number in attrgetter("value", "low", "high")(found.measured))
    assert f"LightConv is {value} BLEU [{low}, {high}] ahead, more than the limit (L2-lightweight, {found.verdict})" in CHANGELOG
    assert f"after 6,000, and LightConv {value} (cpu-overnight)" in text
    (found,) = (record for record in night.claims if record.claim == "L0-trained-translation")
    value, low, high = (f"{number:.3f}" for number in attrgetter("value", "low", "high")(found.measured))
    assert f"attention with 12,000 updates gains {value} nats [{low}, {high}], less than the margin" in CHANGELOG


def test_the_two_random_sets_of_f3_are_compared_as_the_page_says():
    table = pd.read_csv(suite.BUNDLED / "cpu-overnight" / "forgetting" / "pruning.csv")
    table = table[(table["dataset"] == "cifar10") & (table["pruned_percent"] == 30)]
    seeds = table.pivot_table(index="seed", columns="pruning_order", values="test_accuracy_percent").dropna()
    text = suite.find("forgetting").discussion

    def difference(one, other):
        found = student_t((seeds[one] - seeds[other]).to_numpy(), "seeds")
        return f"{found.value:.2f} points [{found.low:.2f}, {found.high:.2f}]".replace("-", "−")

    shuffled = difference("shuffled counts", "random")
    assert f"they cost {shuffled} less than the random 30 %" in text
    assert f"from 0.23 to {shuffled}" in CHANGELOG
    best, over_shuffled = difference("least forgotten first", "random"), difference("least forgotten first", "shuffled counts")
    assert f"cost {best} less than the random 30 %, and {over_shuffled} less than shuffled counts" in text


def test_the_numbers_of_f3_are_those_of_the_night():
    (night,) = (each for each in summaries(suite.find("forgetting"), suite.BUNDLED) if each.run.name == "cpu-overnight")
    found = {record.claim: record for record in night.claims}
    (line,) = (line for line in CHANGELOG.splitlines() if line.startswith("- Myth 4, `cpu-overnight`: pruning"))
    for claim in ("F3-vs-random-30", "F3-ordered-30"):
        value, low, high = (f"{number:.2f}".replace("-", "−") for number in attrgetter("value", "low", "high")(found[claim].measured))
        assert f"{value} points [{low}, {high}]" in line
        assert f"{claim}, {found[claim].verdict}" in line
