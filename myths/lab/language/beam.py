"""Batched beam search with an encoder–decoder."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor

from myths.lab.language.parallel_corpus import Pairs
from myths.lab.language.training import length_buckets
from myths.lab.language.transformer import EncoderDecoder
from myths.lab.language.vocabulary import BOS, EOS, PAD
from myths.lab.measurement.device import Precision, autocast

BATCH_TOKENS = 4000
"""Tokens per batch."""


@dataclass(frozen=True, kw_only=True)
class Beam:
    """Beam search parameters.

    Attributes:
        width: Hypotheses per sentence.
        max_length: Maximum number of tokens.
        min_length: Minimum number of tokens, including EOS.
        length_penalty: The score is log-probability / length ** length_penalty.
    """

    width: int
    max_length: int
    min_length: int = 1
    length_penalty: float = 1.0

    def log_probabilities(self, logits: Float[Tensor, "bw v"], position: int) -> Float[Tensor, "b w v"]:
        """Return the log-probabilities of the next token; -inf for tokens that are not allowed at this position."""
        log_p = logits.float().log_softmax(-1).unflatten(0, (-1, self.width))
        log_p[..., PAD] = log_p[..., BOS] = -math.inf
        if position < self.min_length - 1:
            log_p[..., EOS] = -math.inf
        if position == self.max_length - 1:
            log_p[..., :EOS] = log_p[..., EOS + 1 :] = -math.inf
        return log_p


def search(
    model: EncoderDecoder, source: Int64[Tensor, "b n"], mask: Bool[Tensor, "b n"] | None, beam: Beam
) -> tuple[Int64[Tensor, "b m"], Float[Tensor, " b"]]:
    """Search the best translation of each sentence.

    A sentence is finished when ``beam.width`` of its hypotheses have ended, as in fairseq (Ott et al. 2019).

    Returns:
        Tokens after BOS (PAD after EOS), and the scores.
    """
    b, device, width, max_length = len(source), source.device, beam.width, beam.max_length
    state = model.begin(source, mask, width)
    hypotheses = torch.full((b, width, max_length), PAD, dtype=torch.int64, device=device)
    scores = torch.full((b, width), -math.inf, device=device)
    scores[:, 0] = 0.0  # all hypotheses are equal at first, so only one continues
    last = torch.full((b * width,), BOS, dtype=torch.int64, device=device)
    best = torch.full((b,), -math.inf, device=device)
    best_tokens = torch.full((b, max_length), PAD, dtype=torch.int64, device=device)
    ended = torch.zeros(b, dtype=torch.int64, device=device)
    rows = torch.arange(b, device=device)[:, None]
    for position in range(max_length):
        logits, state = model.step(last, state)
        log_p = beam.log_probabilities(logits, position)
        totals = (scores[..., None] + log_p).flatten(1)
        # Keep twice the beam width: at most one continuation per hypothesis is EOS.
        top, where = totals.topk(min(2 * width, totals.shape[1]), dim=1)
        parent, token = where // log_p.shape[-1], where % log_p.shape[-1]
        ends = (token == EOS) & top.isfinite()
        among_best = ends & (torch.arange(top.shape[1], device=device) < width) & (ended < width)[:, None]
        normalized = torch.where(among_best, top / (position + 1) ** beam.length_penalty, -math.inf)
        found, which = normalized.max(1)
        better = found > best
        finished = hypotheses[rows[:, 0], parent.gather(1, which[:, None])[:, 0]]
        finished[:, position] = EOS
        best = torch.where(better, found, best)
        best_tokens = torch.where(better[:, None], finished, best_tokens)
        ended += among_best.sum(1)
        if position == max_length - 1 or (position + 1 >= beam.min_length and bool((ended >= width).all())):
            break
        scores, chosen = top.masked_fill(ends, -math.inf).topk(width, dim=1)
        parent, token = parent.gather(1, chosen), token.gather(1, chosen)
        hypotheses = hypotheses[rows, parent]
        hypotheses[:, :, position] = token
        state = state.reordered((parent + rows * width).flatten())
        last = token.flatten()
    return best_tokens, best


def translate(
    model: EncoderDecoder, pairs: Pairs, *, beam: int = 4, max_length: int | None = None, precision: Precision = "fp32"
) -> list[list[int]]:
    """Translate each source with beam search.

    Args:
        model: The translation model.
        pairs: Source sentences.
        beam: Beam size.
        max_length: Maximum number of tokens. Default: 1.2 times the longest source of a batch plus 10. The limit of the model applies.
        precision: Numeric precision.

    Returns:
        Token ids of each translation, in the order of ``pairs``.
    """
    device = str(pairs.source.device)
    was_training = model.training
    model.eval()
    translated: list[list[int]] = [[] for _ in range(len(pairs))]
    try:
        with torch.inference_mode(), autocast(device, precision):
            for bucket in length_buckets(pairs, BATCH_TOKENS, None):
                source, _ = pairs.batch(bucket)
                limit = min(max_length or int(1.2 * source.shape[1]) + 10, model.config.max_length)
                tokens, _ = search(model, source, source != PAD, Beam(width=beam, max_length=limit))
                for i, sequence in zip(bucket.indices.tolist(), _to_lists(tokens), strict=True):
                    translated[i] = sequence
    finally:
        model.train(was_training)
    return translated


def _to_lists(tokens: Int64[Tensor, "b m"]) -> Sequence[list[int]]:
    """Return each sequence up to its EOS."""
    lengths = ((tokens != EOS) & (tokens != PAD)).long().cumprod(1).sum(1).tolist()
    return [sequence[:length] for sequence, length in zip(tokens.tolist(), lengths, strict=True)]
