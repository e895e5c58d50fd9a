"""Texts for translation, summarization and language modeling, by dataset name."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import lru_cache

from myths.lab.data.text_files import lines
from myths.lab.errors import UsageError
from myths.lab.language.texts import Texts, prepared_names, read, without_empty
from myths.lightweight_conv.synthetic_corpora import GENERATORS

SYNTHETIC = tuple(GENERATORS)
SUMMARIES = "bbc_news_summary"
OUT_OF_DOMAIN = "iwslt14.test"
"""Test set of another dataset: talks, tokenized and in lower case."""
UNAVAILABLE = {
    "wmt14_en_de": "WMT En-De (4.5 million pairs) is not in the catalog; the claim is cited, not measured",
    "billion_word": "Billion Word is not in the catalog; the claim is tested on smaller texts",
    "cnn_dm": "CNN/DailyMail is not in the catalog; the claim is cited, not measured",
}


def data_names(dataset: str, source: str, target: str, test_sets: Sequence[str]) -> tuple[str, ...]:
    """Return the names of the prepared texts that training on a dataset reads, or none for synthetic datasets."""
    if dataset in SYNTHETIC or dataset in UNAVAILABLE:
        return ()
    if dataset == SUMMARIES:
        return (SUMMARIES,)
    names = prepared_names(dataset, source, target, [test for test in test_sets if test != OUT_OF_DOMAIN])
    return names + (tuple(f"{OUT_OF_DOMAIN}.{language}" for language in (source, target)) if OUT_OF_DOMAIN in test_sets else ())


def texts(dataset: str, part: str, source: str, target: str) -> Texts:
    """Return one part of a dataset: "train", "val", or the name of a test set.

    Raises:
        UsageError: The dataset is not available.
    """
    if dataset in UNAVAILABLE:
        raise UsageError(UNAVAILABLE[dataset])
    if dataset in SYNTHETIC:
        return GENERATORS[dataset](part)
    if dataset == SUMMARIES:
        return _summaries(part)
    if part == OUT_OF_DOMAIN:
        return read("iwslt14", "test", source, target)
    return read(dataset, part, source, target)


@lru_cache(maxsize=3)
def _summaries(part: str) -> Texts:
    """Return BBC articles with extractive summaries. Of every 20 in file order, the first is a test and the second a validation pair."""
    chosen = {"test": (0,), "val": (1,), "train": tuple(range(2, 20))}[part]
    pairs = [json.loads(line) for i, line in enumerate(lines(SUMMARIES)) if i % 20 in chosen]
    sides = [(" ".join(pair["article"].split()), " ".join(pair["summary"].split())) for pair in pairs]
    return without_empty(Texts(tuple(a for a, _ in sides), tuple(s for _, s in sides)))


def running_text(dataset: str) -> dict[str, list[str]]:
    """Return the lines of each part ("train", "val", "test") of a text for language modeling."""
    if dataset in GENERATORS:
        return {
            part: [f"{s} = {t}" for s, t in zip(pairs.source, pairs.target, strict=True)]
            for part in ("train", "val", "test")
            for pairs in (GENERATORS[dataset](part),)
        }
    if dataset == "tinyshakespeare":
        return _cut(lines("tinyshakespeare"), 0.9, 0.95)
    if dataset == "ptb":
        names = {"train": "ptb.train_first6778lines", "val": "ptb.valid", "test": "ptb.test"}
        return {part: lines(name) for part, name in names.items()}
    if dataset == "wikitext2":
        cut = _cut(lines("wikitext2.valid"), 0.9, 1.0)
        return {"train": cut["train"], "val": cut["val"], "test": lines("wikitext2.test")}
    raise UsageError(UNAVAILABLE.get(dataset, f"Unknown text {dataset!r} for language modeling."))


def _cut(all_lines: list[str], first: float, second: float) -> dict[str, list[str]]:
    a, b = (int(share * len(all_lines)) for share in (first, second))
    return {"train": all_lines[:a], "val": all_lines[a:b], "test": all_lines[b:]}
