"""BLEU by sacrebleu (Post 2018), with its signature and n-gram counts per sentence."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float, Int64

from myths.lab.errors import CannotStart


@dataclass(frozen=True)
class Bleu:
    """BLEU of a corpus in 0..100, with the signature of sacrebleu.

    ``counts`` holds per sentence: length of the hypothesis, length of the reference, matching n-grams (n = 1 to 4), all n-grams. BLEU of
    any subset of sentences is ``from_counts`` of the sum of their rows.
    """

    score: float
    signature: str
    counts: Int64[np.ndarray, "sentences 10"]


def bleu(hypotheses: Sequence[str], references: Sequence[str], *, lowercase: bool = False, tokenize: str = "13a") -> Bleu:
    """Compute BLEU with sacrebleu.

    Args:
        hypotheses: Translations.
        references: One reference per translation.
        lowercase: Whether case is ignored.
        tokenize: Tokenizer of sacrebleu.

    Raises:
        ValueError: The numbers of hypotheses and references differ.
        CannotStart: sacrebleu is not installed.
    """
    if len(hypotheses) != len(references):
        raise ValueError(f"{len(hypotheses)} hypotheses and {len(references)} references")
    metric, of_sentences = (_metric(lowercase=lowercase, tokenize=tokenize, effective_order=one) for one in (False, True))
    score = metric.corpus_score(list(hypotheses), [list(references)])
    each = [of_sentences.sentence_score(h, [r]) for h, r in zip(hypotheses, references, strict=True)]
    counts = np.array([[s.sys_len, s.ref_len, *s.counts, *s.totals] for s in each], dtype=np.int64).reshape(-1, 10)
    return Bleu(float(score.score), str(metric.get_signature()), counts)


def from_counts(summed: Int64[np.ndarray, "*b 10"]) -> Float[np.ndarray, "*b"]:
    """Compute BLEU in 0..100 from summed counts, with the default smoothing of sacrebleu ("exp")."""
    lengths, correct, total = summed[..., :2].astype(float), summed[..., 2:6].astype(float), summed[..., 6:].astype(float)
    zero = correct == 0
    smooth = 0.5 ** np.cumsum(zero, axis=-1)
    with np.errstate(divide="ignore", invalid="ignore"):
        precision = np.where(zero, smooth, correct) / total
        brevity = np.exp(np.minimum(0.0, 1.0 - lengths[..., 1] / lengths[..., 0]))
        score = 100 * brevity * np.exp(np.log(precision).mean(-1))
    return np.where((total > 0).all(-1) & (correct[..., 0] > 0), np.nan_to_num(score), 0.0)


def _metric(**settings: Any) -> Any:
    try:
        from sacrebleu.metrics import BLEU
    except ImportError as error:
        raise CannotStart("BLEU requires a package: pip install sacrebleu") from error
    return BLEU(**settings)
