"""Texts as token numbers and back: subwords learnt from the training text (BPE, Sennrich et al. 2016), or characters."""

from __future__ import annotations

import io
from collections.abc import Iterable, Sequence
from typing import Any, Protocol, TypeAlias, runtime_checkable

import numpy as np
from jaxtyping import Int

from myths.lab.errors import CannotStart, UsageError

PAD, BOS, EOS, UNKNOWN = 0, 1, 2, 3
"""The first four numbers of every vocabulary: padding, begin and end of a sequence, what was never seen in training."""

Tokens: TypeAlias = Sequence[int | np.integer] | Int[np.ndarray, " _"]


@runtime_checkable
class Vocabulary(Protocol):
    """Texts to token numbers and back."""

    @property
    def size(self) -> int:
        """How many tokens there are, the four special ones included."""
        ...

    def encode(self, texts: Sequence[str]) -> list[Int[np.ndarray, " _"]]:
        """Token numbers of each text, without begin and end."""
        ...

    def decode(self, tokens: Iterable[Tokens]) -> list[str]:
        """The text of each sequence up to its first end; special tokens are left out."""
        ...


class Subwords:
    """Byte-pair encoding by sentencepiece. ``model`` is its serialized form, which rebuilds it."""

    def __init__(self, model: bytes):
        self.model = model
        self._processor = _sentencepiece().SentencePieceProcessor(model_proto=model)

    @classmethod
    def learn(cls, texts: Iterable[str], size: int) -> Subwords:
        """Learn a vocabulary from texts.

        Args:
            texts: Training texts.
            size: Tokens wanted. Texts that hold fewer give a smaller vocabulary; texts with more characters than that give one that
                holds each of their characters.

        Raises:
            UsageError: There are no texts, or all are blank.
        """
        lines = list(texts)
        characters = set().union(*lines) if lines else set[str]()
        if not any(not character.isspace() for character in characters):
            raise UsageError("a vocabulary cannot be learnt from these texts: all of them are blank")
        # Beside the characters there are the four special tokens and the mark of a space.
        size = max(size, len(characters) + UNKNOWN + 2)
        trained = io.BytesIO()
        try:
            _sentencepiece().SentencePieceTrainer.train(
                sentence_iterator=iter(lines),
                model_writer=trained,
                vocab_size=size,
                hard_vocab_limit=False,  # fewer where the texts do not hold so many
                model_type="bpe",
                character_coverage=1.0,
                pad_id=PAD,
                bos_id=BOS,
                eos_id=EOS,
                unk_id=UNKNOWN,
                num_threads=1,  # more make the order of merges depend on the machine
                minloglevel=2,
            )
        except RuntimeError as error:
            raise UsageError(f"a vocabulary of {size:,} subwords cannot be learnt from {len(lines):,} texts") from error
        return cls(trained.getvalue())

    @property
    def size(self) -> int:
        """As ``Vocabulary.size``."""
        return int(self._processor.vocab_size())

    def encode(self, texts: Sequence[str]) -> list[Int[np.ndarray, " _"]]:
        """As ``Vocabulary.encode``."""
        return [np.asarray(tokens, dtype=np.int32) for tokens in self._processor.encode(list(texts), num_threads=1)]

    def decode(self, tokens: Iterable[Tokens]) -> list[str]:
        """As ``Vocabulary.decode``."""
        return list(self._processor.decode([_until_end(sequence) for sequence in tokens]))


class Characters:
    """Every character that occurs in the texts it was made from."""

    def __init__(self, texts: Iterable[str]):
        self._characters = sorted(set().union(*texts))
        self._numbers = {character: number for number, character in enumerate(self._characters, start=UNKNOWN + 1)}

    @property
    def size(self) -> int:
        """As ``Vocabulary.size``."""
        return len(self._characters) + UNKNOWN + 1

    def encode(self, texts: Sequence[str]) -> list[Int[np.ndarray, " _"]]:
        """As ``Vocabulary.encode``."""
        return [np.array([self._numbers.get(character, UNKNOWN) for character in text], dtype=np.int32) for text in texts]

    def decode(self, tokens: Iterable[Tokens]) -> list[str]:
        """As ``Vocabulary.decode``."""
        first = UNKNOWN + 1
        return ["".join(self._characters[n - first] for n in _until_end(sequence) if n >= first) for sequence in tokens]


def _until_end(tokens: Tokens) -> list[int]:
    numbers = [int(n) for n in tokens]
    ended = numbers[: numbers.index(EOS)] if EOS in numbers else numbers
    return [n for n in ended if n not in (PAD, BOS)]


def _sentencepiece() -> Any:
    try:
        import sentencepiece
    except ImportError as error:
        raise CannotStart("subwords need a package: pip install sentencepiece") from error
    return sentencepiece
