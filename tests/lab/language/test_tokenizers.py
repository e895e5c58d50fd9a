"""BLEU counts the words of the language that is scored."""

import importlib.util

import pytest
from sacrebleu.metrics.bleu import _TOKENIZERS

from myths.lab.language.bleu import bleu
from myths.lab.language.tokenizers import NAMES, tokenizer_for


def test_the_tokenizers_are_those_of_sacrebleu():
    assert set(NAMES) == set(_TOKENIZERS)


@pytest.mark.parametrize(
    ("language", "name"),
    [
        ("zh", "zh"),
        ("zh-hant", "zh"),
        ("zh_Hans_CN", "zh"),
        ("cmn", "zh"),
        ("th", "char"),
        ("km", "char"),
        ("yue", "char"),
        ("de", "13a"),
        ("pt-br", "13a"),
        ("sr-latn", "13a"),
        ("ru", "13a"),
        ("hi", "intl"),
        ("ar", "intl"),
        ("el", "intl"),
        ("xx", "intl"),
    ],
)
def test_the_tokenizer_goes_with_the_language(language, name):
    assert tokenizer_for(language).name == name
    assert tokenizer_for(language).reason


@pytest.mark.parametrize(
    ("language", "package", "name"), [("ja", "MeCab", "ja-mecab"), ("ko", "mecab_ko", "ko-mecab"), ("jpn", "MeCab", "ja-mecab")]
)
def test_without_mecab_characters_are_counted_and_the_package_is_named(language, package, name, monkeypatch):
    present = importlib.util.find_spec

    def find(module, here):
        return object() if here and module.lower().startswith(("mecab", "ipadic")) else (present(module) if here else None)

    monkeypatch.setattr(importlib.util, "find_spec", lambda module: find(module, True))
    assert tokenizer_for(language).name == name
    monkeypatch.setattr(importlib.util, "find_spec", lambda module: find(module, False))
    chosen = tokenizer_for(language)
    assert chosen.name == "char"
    assert f"{name} is not installed (pip install" in chosen.reason


@pytest.mark.parametrize(
    ("language", "hypothesis", "reference"),
    [
        ("zh", "我今天早上去学校看书", "我今天早上去学校读书"),
        ("ja", "私は今日学校へ行きます", "私は今日学校に行きます"),
        ("th", "วันนี้ฉันไปโรงเรียน", "วันนี้ฉันไปที่โรงเรียน"),
    ],
)
def test_a_translation_that_is_nearly_right_does_not_score_nothing(language, hypothesis, reference):
    chosen = tokenizer_for(language).name
    if chosen not in ("zh", "char"):
        pytest.skip("this machine has MeCab; its scores depend on its dictionary")
    found = bleu([hypothesis], [reference], tokenize=chosen)
    assert bleu([hypothesis], [reference]).score < 1e-6
    assert found.score > 30
    assert f"tok:{chosen}" in found.signature


def test_punctuation_of_another_script_is_split_off():
    same = bleu(["मैं घर जाता हूँ।"], ["मैं घर जाता हूँ ।"], tokenize=tokenizer_for("hi").name)
    assert same.score == pytest.approx(100)
    assert bleu(["मैं घर जाता हूँ।"], ["मैं घर जाता हूँ ।"]).score < 99
