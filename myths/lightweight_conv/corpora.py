"""The texts that models translate or sum up, by the name of the data set."""

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
"""A test part of another data set: talks, tokenized and in lower case."""
UNAVAILABLE = {
    "wmt14_en_de": "WMT En-De (4.5 million pairs) is not among the data that the suite brings; the claim is cited",
    "billion_word": "Billion Word is not among the data that the suite brings; the claim is tested on small texts",
    "cnn_dm": "CNN/DailyMail is not among the data that the suite brings; the claim is cited",
}


def data_names(dataset: str, source: str, target: str, test_sets: Sequence[str]) -> tuple[str, ...]:
    """The prepared texts that a training on a data set reads; none for what is drawn here."""
    if dataset in SYNTHETIC or dataset in UNAVAILABLE:
        return ()
    if dataset == SUMMARIES:
        return (SUMMARIES,)
    own = prepared_names(dataset, source, target, [test for test in test_sets if test != OUT_OF_DOMAIN])
    return own + (tuple(f"{OUT_OF_DOMAIN}.{language}" for language in (source, target)) if OUT_OF_DOMAIN in test_sets else ())


def texts(dataset: str, part: str, source: str, target: str) -> Texts:
    """One part ("train", "val", or the name of a test part) of a data set. Raises UsageError for a data set that is not here."""
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
    """BBC articles and their extractive summaries: of every twenty in the order of the file, one to test on and one to validate."""
    chosen = {"test": (0,), "val": (1,), "train": tuple(range(2, 20))}[part]
    pairs = [json.loads(line) for i, line in enumerate(lines(SUMMARIES)) if i % 20 in chosen]
    sides = [(" ".join(pair["article"].split()), " ".join(pair["summary"].split())) for pair in pairs]
    return without_empty(Texts(tuple(a for a, _ in sides), tuple(s for _, s in sides)))


def running_text(dataset: str) -> dict[str, list[str]]:
    """The lines of each part ("train", "val", "test") of a text for language modeling."""
    if dataset in GENERATORS:
        return {
            part: [f"{s} = {t}" for s, t in zip(drawn.source, drawn.target, strict=True)]
            for part in ("train", "val", "test")
            for drawn in (GENERATORS[dataset](part),)
        }
    if dataset == "tinyshakespeare":
        return _cut(lines("tinyshakespeare"), 0.9, 0.95)
    if dataset == "ptb":
        names = {"train": "ptb.train_first6778lines", "val": "ptb.valid", "test": "ptb.test"}
        return {part: lines(name) for part, name in names.items()}
    if dataset == "wikitext2":
        cut = _cut(lines("wikitext2.valid"), 0.9, 1.0)
        return {"train": cut["train"], "val": cut["val"], "test": lines("wikitext2.test")}
    raise UsageError(UNAVAILABLE.get(dataset, f"there is no text {dataset!r} for language modeling"))


def _cut(all_lines: list[str], first: float, second: float) -> dict[str, list[str]]:
    a, b = (int(share * len(all_lines)) for share in (first, second))
    return {"train": all_lines[:a], "val": all_lines[a:b], "test": all_lines[b:]}
