"""Evaluate a trained translation model: quality, speed, and dependence on the source."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from myths.lab.estimate import bootstrap, student_t
from myths.lab.language.beam import translate
from myths.lab.language.bleu import bleu, from_counts
from myths.lab.language.parallel_corpus import Pairs
from myths.lab.language.training import sentence_losses
from myths.lab.language.transformer import EncoderDecoder
from myths.lab.language.vocabulary import Vocabulary
from myths.lab.measurement.device import Precision
from myths.lab.measurement.timing import Stopwatch
from myths.lightweight_conv.corpora import OUT_OF_DOMAIN, SUMMARIES, SYNTHETIC


def source_dependence(model: EncoderDecoder, pairs: Pairs, rng: np.random.Generator, precision: Precision) -> dict[str, float]:
    """Return the loss per target token in nats, and its increase if each source is replaced by that of another pair.

    An increase near zero means that the model ignores the source.
    """
    other = torch.from_numpy((np.arange(len(pairs)) + rng.integers(1, max(2, len(pairs)))) % len(pairs)).to(pairs.source.device)
    nats, tokens = sentence_losses(model, pairs, precision=precision)
    without, _ = sentence_losses(model, Pairs(pairs.source[other], pairs.target), precision=precision)
    gain = student_t(((without - nats) / tokens.double().mean()).tolist(), "test examples")
    return {
        "valid_loss_nats": float(nats.sum() / tokens.sum()),
        "source_use_nats": gain.value,
        "source_use_nats_low": gain.low,
        "source_use_nats_high": gain.high,
        "n_valid": len(pairs),
    }


def translations(
    model: EncoderDecoder, pairs: Pairs, vocabulary: Vocabulary, beam: int, precision: Precision
) -> tuple[list[str], dict[str, float]]:
    """Return the translation of each source and the number of sentences per second."""
    with Stopwatch(str(pairs.source.device)) as watch:
        tokens = translate(model, pairs, beam=beam, precision=precision)
    return vocabulary.decode(tokens), {"sentences_per_second": len(pairs) / watch.seconds}


def translation_quality(
    dataset: str, test: str, hypotheses: Sequence[str], references: Sequence[str], rng: np.random.Generator, tokenizer: str = "13a"
) -> dict[str, float | str]:
    """Return BLEU with its interval over sentences.

    Summaries have ROUGE F1 instead of BLEU. Synthetic corpora also have the percentage of exact matches.
    """
    if dataset == SUMMARIES:
        return rouge(hypotheses, references)
    found = bleu(hypotheses, references, lowercase=test == OUT_OF_DOMAIN, tokenize=tokenizer)
    spread = bootstrap(lambda chosen: from_counts(found.counts[chosen].sum(1)), len(references), "test examples", rng, resamples=1000)
    row: dict[str, float | str] = {"bleu": found.score, "bleu_low": spread.low, "bleu_high": spread.high, "signature": found.signature}
    if dataset in SYNTHETIC:
        row["exact_match_percent"] = 100 * float(np.mean([h == r for h, r in zip(hypotheses, references, strict=True)]))
    return row


def rouge(hypotheses: Sequence[str], references: Sequence[str]) -> dict[str, float | str]:
    """Return the mean F1 of ROUGE-1, ROUGE-2 and ROUGE-L (Lin 2004) in percent, with stemming. Each summary is one line."""
    from rouge_score.rouge_scorer import RougeScorer

    kinds = ("rouge1", "rouge2", "rougeL")
    scorer = RougeScorer(kinds, use_stemmer=True)
    scores = [scorer.score(reference, hypothesis) for hypothesis, reference in zip(hypotheses, references, strict=True)]
    return {kind: 100 * float(np.mean([score[kind].fmeasure for score in scores])) for kind in kinds}
