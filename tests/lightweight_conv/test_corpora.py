import re

import pytest

from myths.lab.data import prepared
from myths.lab.errors import UsageError
from myths.lightweight_conv import corpora
from myths.lightweight_conv.corpora import OUT_OF_DOMAIN, SUMMARIES, data_names
from myths.lightweight_conv.synthetic_corpora import GENERATORS, N_PAIRS, number_words

UNITS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")
TEENS = ("thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen")
SMALL = {word: i for i, word in enumerate((*UNITS, *TEENS))}
TENS = {word: 10 * i for i, word in enumerate(("twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"), start=2)}


def read_aloud(words):
    """A number from its words, word by word."""
    total = part = 0
    for word in re.split(r"[ -]", words):
        if word == "hundred":
            part *= 100
        elif word == "thousand":
            total, part = total + 1000 * part, 0
        elif word != "and":
            part += SMALL[word] if word in SMALL else TENS[word]
    return total + part


def test_number_words_are_read_back():
    for number in (*range(1, 2000), 10_000, 12_345, 100_001, 999_999):
        assert read_aloud(number_words(number)) == number
    assert number_words(412) == "four hundred and twelve"


def test_dates_are_iso():
    month = re.compile(r"(january|february|march|april|may|june|july|august|september|october|november|december)|\b([a-z]{3})\b")
    names = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]
    for source, target in zip(*(lambda t: (t.source, t.target))(GENERATORS["dates"]("test")), strict=True):
        year, number, day = target.split("-")
        assert year in source
        assert re.search(rf"\b{int(day)}(st|nd|rd|th)?\b", source)
        found = next(m.group(0) for m in month.finditer(source) if m.group(0)[:3] in names)
        assert names[int(number) - 1] == found[:3]


@pytest.mark.parametrize("dataset", GENERATORS)
def test_nothing_that_is_tested_was_trained_on(dataset):
    parts = {part: corpora.texts(dataset, part, "de", "en") for part in N_PAIRS}
    assert {part: len(texts) for part, texts in parts.items()} == N_PAIRS
    sources = [source for texts in parts.values() for source in texts.source]
    assert len(set(sources)) == len(sources)
    assert corpora.texts(dataset, "val", "de", "en") == parts["val"]


def test_a_training_names_the_texts_that_it_reads():
    assert data_names("dates", "de", "en", ("test",)) == ()
    assert data_names(SUMMARIES, "de", "en", ("test",)) == (SUMMARIES,)
    assert data_names("own", "fr", "en", ("test", OUT_OF_DOMAIN)) == (
        *("own.train.fr", "own.train.en", "own.val.fr", "own.val.en", "own.test.fr", "own.test.en"),
        *("iwslt14.test.fr", "iwslt14.test.en"),
    )


def test_unknown_texts_are_refused():
    with pytest.raises(UsageError, match="WMT"):
        corpora.texts("wmt14_en_de", "train", "de", "en")
    with pytest.raises(UsageError, match="Billion Word"):
        corpora.running_text("billion_word")
    with pytest.raises(UsageError, match="Unknown text 'novel'"):
        corpora.running_text("novel")


def test_running_text_is_cut_without_overlap():
    cut = corpora._cut([str(i) for i in range(100)], 0.9, 0.95)
    assert [len(cut[part]) for part in ("train", "val", "test")] == [90, 5, 5]
    assert [line for lines in cut.values() for line in lines] == [str(i) for i in range(100)]


@pytest.mark.real_data
def test_the_real_texts_are_what_they_should_be():
    if prepared.find("multi30k.train.de") is None or prepared.find(SUMMARIES) is None:
        pytest.skip("the texts are not here")
    assert [len(corpora.texts("multi30k", part, "de", "en")) for part in ("train", "val", "test_2016_flickr")] == [29_000, 1014, 1000]
    assert len(corpora.texts("multi30k", OUT_OF_DOMAIN, "de", "en")) == 6750
    summaries = {part: corpora.texts(SUMMARIES, part, "", "") for part in ("train", "val", "test")}
    assert sum(map(len, summaries.values())) == 2225
    assert not set(summaries["train"].source[:50]) & set(summaries["test"].source)
    assert len(corpora.running_text("ptb")["train"]) == 6778
