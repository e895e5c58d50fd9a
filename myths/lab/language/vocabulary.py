"""Vocabularies: subwords learned from the training text (BPE, Sennrich et al. 2016), or characters."""

from __future__ import annotations

import io
from collections.abc import Iterable, Sequence
from typing import Any, Protocol, TypeAlias, runtime_checkable

import numpy as np
from jaxtyping import Int

from myths.lab.errors import CannotStart, UsageError

PAD, BOS, EOS, UNKNOWN = 0, 1, 2, 3
"""Ids of the special tokens in every vocabulary: padding, begin and end of a sequence, unknown token."""

Tokens: TypeAlias = Sequence[int | np.integer] | Int[np.ndarray, " _"]


@runtime_checkable
class Vocabulary(Protocol):
    """Maps texts to token ids and back."""

    @property
    def size(self) -> int:
        """Number of tokens, including the four special tokens."""
        ...

    def __hash__(self) -> int:
        """Texts that a vocabulary encoded are cached by its identity."""
        ...

    def encode(self, texts: Sequence[str]) -> list[Int[np.ndarray, " _"]]:
        """Return the token ids of each text, without BOS and EOS."""
        ...

    def decode(self, tokens: Iterable[Tokens]) -> list[str]:
        """Return the text of each sequence up to its first EOS, without special tokens."""
        ...


class Subwords:
    """Byte-pair encoding by sentencepiece. ``model`` is its serialized form."""

    def __init__(self, model: bytes):
        self.model = model
        self._processor = _sentencepiece().SentencePieceProcessor(model_proto=model)

    @classmethod
    def learn(cls, texts: Iterable[str], size: int) -> Subwords:
        """Learn a vocabulary from texts.

        Args:
            texts: Training texts.
            size: Requested number of tokens. The vocabulary is smaller if the texts contain fewer subwords, and larger if they contain
                more distinct characters.

        Raises:
            UsageError: There are no texts, or all are blank.
        """
        lines = list(texts)
        characters = set().union(*lines) if lines else set[str]()
        if not any(not character.isspace() for character in characters):
            raise UsageError("a vocabulary cannot be learned from these texts: all of them are blank")
        # In addition to the characters: four special tokens and the space marker.
        size = max(size, len(characters) + UNKNOWN + 2)
        trained = io.BytesIO()
        try:
            _sentencepiece().SentencePieceTrainer.train(
                sentence_iterator=iter(lines),
                model_writer=trained,
                vocab_size=size,
                hard_vocab_limit=False,  # allow fewer if the texts do not contain that many
                model_type="bpe",
                character_coverage=1.0,
                pad_id=PAD,
                bos_id=BOS,
                eos_id=EOS,
                unk_id=UNKNOWN,
                num_threads=1,  # with more threads the order of merges depends on the machine
                minloglevel=2,
            )
        except RuntimeError as error:
            raise UsageError(f"a vocabulary of {size:,} subwords cannot be learned from {len(lines):,} texts") from error
        return cls(trained.getvalue())

    @property
    def size(self) -> int:
        """See ``Vocabulary.size``."""
        return int(self._processor.vocab_size())

    def encode(self, texts: Sequence[str]) -> list[Int[np.ndarray, " _"]]:
        """See ``Vocabulary.encode``."""
        return [np.asarray(tokens, dtype=np.int32) for tokens in self._processor.encode(list(texts), num_threads=1)]

    def decode(self, tokens: Iterable[Tokens]) -> list[str]:
        """See ``Vocabulary.decode``."""
        return list(self._processor.decode([_until_end(sequence) for sequence in tokens]))


class Characters:
    """Character vocabulary of the given texts."""

    def __init__(self, texts: Iterable[str]):
        self._characters = sorted(set().union(*texts))
        self._numbers = {character: number for number, character in enumerate(self._characters, start=UNKNOWN + 1)}

    @property
    def size(self) -> int:
        """See ``Vocabulary.size``."""
        return len(self._characters) + UNKNOWN + 1

    def encode(self, texts: Sequence[str]) -> list[Int[np.ndarray, " _"]]:
        """See ``Vocabulary.encode``."""
        return [np.array([self._numbers.get(character, UNKNOWN) for character in text], dtype=np.int32) for text in texts]

    def decode(self, tokens: Iterable[Tokens]) -> list[str]:
        """See ``Vocabulary.decode``."""
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
        raise CannotStart("Subwords require a package: pip install sentencepiece") from error
    return sentencepiece
