"""Layers and data sets by name, for those who list trials and must not wait for torch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from myths.lab.language.texts import prepared_names

Layer = Literal[
    "attention",
    "attention-plain",
    "attention-window",
    "cnn",
    "depthwise",
    "growing",
    "dropconnect",
    "tied",
    "lightweight",
    "dynamic",
    "dynamic-no-softmax",
]
"""In the order of the paper's ablation (Table 3): each convolution has one thing more than the one before it.

"attention-plain" is full attention with its n x n weights written out, as it was computed in 2019.
"""

PROCEDURAL = ("dates", "numbers")
SUMMARIES = "bbc_news_summary"
OUT_OF_DOMAIN = "iwslt14.test"
"""A test part of another data set: talks, tokenized and in lower case."""
UNAVAILABLE = {
    "wmt14_en_de": "WMT En-De (4.5 million pairs) is not among the data that the suite brings; the claim is cited",
    "billion_word": "Billion Word is not among the data that the suite brings; the claim is tested on small texts",
    "cnn_dm": "CNN/DailyMail is not among the data that the suite brings; the claim is cited",
}


def data_names(dataset: str, source: str, target: str, tests: Sequence[str]) -> tuple[str, ...]:
    """The prepared texts that a training on a data set reads; none for what is drawn here."""
    if dataset in PROCEDURAL or dataset in UNAVAILABLE:
        return ()
    if dataset == SUMMARIES:
        return (SUMMARIES,)
    own = prepared_names(dataset, source, target, [test for test in tests if test != OUT_OF_DOMAIN])
    return own + (tuple(f"{OUT_OF_DOMAIN}.{language}" for language in (source, target)) if OUT_OF_DOMAIN in tests else ())


def growing_taps(layers: int) -> tuple[int, ...]:
    """Kernels that grow with depth: spread over the paper's 3, 7, 15, 31, the last as often as there are more layers."""
    sizes = (3, 7, 15, 31)
    if layers >= len(sizes):
        return sizes + (sizes[-1],) * (layers - len(sizes))
    return {0: (), 1: (31,), 2: (3, 31), 3: (3, 15, 31)}[layers]
