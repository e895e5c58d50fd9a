"""Vocabulary, parallel texts, training, beam search and BLEU against independent oracles."""

import itertools
import math
from functools import partial

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from sacrebleu.metrics import BLEU

from myths.lab.data import prepared
from myths.lab.errors import CannotStart, UsageError
from myths.lab.language.attention import SelfAttention
from myths.lab.language.beam import Beam, search, translate
from myths.lab.language.bleu import bleu, from_counts
from myths.lab.language.parallel_corpus import Pairs, encode, padded
from myths.lab.language.texts import Texts, prepared_names, read, shuffled_sources, without_empty
from myths.lab.language.training import (
    Prediction,
    TrainConfig,
    cross_entropy,
    fit,
    label_smoothed_loss,
    length_buckets,
    lr_factor,
    move_batches,
    predict_pairs,
    translation_batches,
)
from myths.lab.language.transformer import EncoderDecoder, TransformerConfig
from myths.lab.language.vocabulary import BOS, EOS, PAD, UNKNOWN, Characters, Subwords

WORDS = ["der", "die", "das", "hund", "katze", "läuft", "schläft", "und", "ein", "zwei", "große", "kleine", "haus", "im", "vor", "dem"]


def sentences(n, rng):
    return tuple(" ".join(rng.choice(WORDS, rng.integers(1, 9))) for _ in range(n))


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def small_model(vocabulary=8, longest=16, dropout=0.0, channels=16):
    torch.manual_seed(0)
    shape = TransformerConfig(
        vocabulary=vocabulary,
        embed_dim=channels,
        ffn_dim=32,
        heads=2,
        encoder_layers=1,
        decoder_layers=1,
        max_length=longest,
        dropout=dropout,
    )
    return EncoderDecoder(shape, lambda layer, *, causal: SelfAttention(channels, 2, causal=causal))


# --- vocabulary ---------------------------------------------------------------------------------


def test_subwords_give_back_the_texts_and_their_model_rebuilds_them(rng):
    texts = sentences(200, rng)
    learnt = Subwords.learn(texts, 60)
    assert learnt.size == 60
    again = Subwords(learnt.model)
    assert again.decode(learnt.encode(texts)) == list(texts)
    assert learnt.model == Subwords.learn(texts, 60).model
    assert learnt.decode([[BOS, *learnt.encode(["ein hund"])[0], EOS, 17, PAD]]) == ["ein hund"]


def test_a_vocabulary_is_as_large_as_the_texts_allow(rng):
    texts = ["a cat sat on a mat", "a dog sat on a log"]
    subwords = Subwords.learn(texts, 5000)
    assert 20 < subwords.size < 60
    assert subwords.decode(subwords.encode(texts)) == texts
    characters = "".join(map(chr, range(0x4E00, 0x4E00 + 500)))  # more than the vocabulary would hold
    many = Subwords.learn([characters], 40)
    assert many.size >= 500
    assert many.decode(many.encode([characters])) == [characters]
    for nothing in ([], ["", "  "]):
        with pytest.raises(UsageError, match="all of them are blank"):
            Subwords.learn(nothing, 30)


def test_characters_give_back_the_texts():
    characters = Characters(["abc", "cd"])
    assert characters.size == 8
    assert characters.decode([[*characters.encode(["cab"])[0], EOS, 5]]) == ["cab"]
    assert characters.encode(["xa"])[0].tolist() == [UNKNOWN, 4]
    assert characters.decode([[PAD, BOS]]) == [""]


# --- parallel texts -----------------------------------------------------------------------------


def bring(home, name, text):
    path = home / "text" / f"{name}.txt"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    prepared.write_sidecar(path.with_suffix(".json"), source="", note="", sha256=prepared.folder_sha256([path], path.parent))


def test_unequal_line_counts_are_refused_with_both(tmp_path, monkeypatch):
    monkeypatch.setenv("MYTHS_DATA", str(tmp_path))
    bring(tmp_path, "own.val.de", "eins\nzwei\n")
    bring(tmp_path, "own.val.en", "one\ntwo\nthree\n")
    with pytest.raises(CannotStart, match=r"own\.val\.de has 2 lines and own\.val\.en 3"):
        read("own", "val", "de", "en")
    bring(tmp_path, "own.val.en", "one \ntwo\n")
    assert read("own", "val", "de", "en") == Texts(("eins", "zwei"), ("one", "two"))
    assert prepared_names("own", "de", "en", ["test"], train=False) == ("own.test.de", "own.test.en")


def test_empty_sentences_are_left_out_of_training():
    assert without_empty(Texts(("a", "", "c"), ("x", "y", ""))) == Texts(("a",), ("x",))
    assert Texts(("a", "b"), ("x", "y")).first(1) == Texts(("a",), ("x",))


def test_pairs_have_ends_and_padding_where_they_belong():
    pairs = encode(Texts(("ab", "a"), ("b", "bab")), Characters(["ab"]), 8, "cpu")
    assert pairs.source.tolist() == [[4, 5, EOS], [4, EOS, PAD]]
    assert pairs.target.tolist() == [[BOS, 5, EOS, PAD, PAD], [BOS, 5, 4, 5, EOS]]
    source, target = pairs.batch(pairs.first(1))
    assert (source.tolist(), target.tolist()) == ([[4, 5, EOS]], [[BOS, 5, EOS]])
    assert (source.dtype, target.dtype) == (torch.int64, torch.int64)


def test_a_longer_sentence_than_the_model_takes_is_refused_or_cut():
    texts, characters = Texts(("aaaa",), ("b",)), Characters(["ab"])
    with pytest.raises(UsageError, match=r"Sentence 1 has 5 tokens, more than the maximum length 4"):
        encode(texts, characters, 4, "cpu")
    assert encode(texts, characters, 4, "cpu", cut=True).source.tolist() == [[4, 4, 4, EOS]]


def test_shuffling_moves_the_sources_only(rng):
    texts = Texts(tuple(map(str, range(50))), tuple(map(str, range(50))))
    shuffled = shuffled_sources(texts, rng)
    assert shuffled.target == texts.target
    assert sorted(shuffled.source, key=int) == list(texts.source)
    assert sum(a == b for a, b in zip(*(shuffled.source, shuffled.target), strict=True)) < 10


def random_pairs(n, rng):
    def draw(low, high):
        return padded([np.concatenate([rng.integers(4, 8, rng.integers(low, high)), [EOS]]) for _ in range(n)], "cpu")

    return Pairs(draw(1, 20), draw(2, 15))


@given(st.integers(1, 60), st.integers(1, 200), st.integers(0, 5))
def test_each_epoch_visits_every_pair_once_within_the_bound(n, tokens, seed):
    pairs = random_pairs(n, np.random.default_rng(seed))
    buckets = length_buckets(pairs, tokens, torch.Generator().manual_seed(seed))
    batches = [bucket.indices for bucket in buckets]
    assert sorted(torch.cat(batches).tolist()) == list(range(n))
    longest = torch.maximum(pairs.source_lengths, pairs.target_lengths)
    assert all(len(b) * longest[b].max() <= tokens or len(b) == 1 for b in batches)
    for bucket in buckets:
        source, target = pairs.batch(bucket)
        for side, whole in ((source, pairs.source), (target, pairs.target)):
            width = side.shape[1]
            assert torch.equal(side, whole[bucket.indices, :width].long())
            assert (side[:, -1] != PAD).any()
            assert (whole[bucket.indices, width:] == PAD).all()


def test_batches_hold_like_lengths_and_come_in_an_order_of_their_own(rng):
    pairs = random_pairs(500, rng)

    def batches(order):
        return [bucket.indices for bucket in length_buckets(pairs, 100, order)]

    first, again, other = (batches(torch.Generator().manual_seed(seed)) for seed in (0, 0, 1))
    assert all(torch.equal(a, b) for a, b in zip(first, again, strict=True))
    assert not all(torch.equal(a, b) for a, b in zip(first, other, strict=True))
    longest = torch.maximum(pairs.source_lengths, pairs.target_lengths)
    assert np.mean([float(longest[b].max() - longest[b].min()) for b in first]) < 1
    assert [int(longest[b].max()) for b in batches(None)] == sorted(int(longest[b].max()) for b in first)


# --- training -----------------------------------------------------------------------------------


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
def test_the_smoothed_loss_and_its_slope_are_torchs(smoothing, dtype):
    torch.manual_seed(0)
    logits = (20 + 3 * torch.randn(2, 3, 5, dtype=torch.float64)).to(dtype).requires_grad_()
    answers = torch.tensor([[1, 2, PAD], [4, PAD, PAD]])
    exact = logits.detach().double().requires_grad_()
    expected = F.cross_entropy(exact.flatten(0, 1), answers.flatten(), ignore_index=PAD, label_smoothing=smoothing)
    (3 * expected).backward()
    loss = label_smoothed_loss(Prediction(logits, answers), smoothing)
    (3 * loss).backward()
    tolerance = {torch.float64: 1e-6, torch.float32: 1e-5, torch.bfloat16: 2e-2}[dtype]
    assert loss.item() == pytest.approx(expected.item(), rel=tolerance)
    torch.testing.assert_close(logits.grad.double(), exact.grad, rtol=tolerance, atol=tolerance)


def test_the_rate_warms_up_and_falls():
    root = TrainConfig(updates=1000, warmup=100)
    assert lr_factor(root, 0) == 0.01
    assert lr_factor(root, 99) == 1
    assert lr_factor(root, 399) == pytest.approx(0.5)
    linear = TrainConfig(updates=1000, warmup=100, schedule="linear")
    assert lr_factor(linear, 549) == pytest.approx(451 / 900)
    assert 0 < lr_factor(linear, 999) < 0.01


def test_a_model_learns_to_copy_and_beam_search_shows_it(rng):
    texts = tuple("".join(rng.choice(list("abcd"), rng.integers(2, 6))) for _ in range(256))
    characters = Characters(texts)
    pairs = encode(Texts(texts, texts), characters, 16, "cpu")
    model = small_model(characters.size, channels=32)
    config = TrainConfig(
        updates=400, batch_tokens=400, learning_rate=5e-3, warmup=40, schedule="linear", label_smoothing=0.0, weight_decay=0.0
    )
    before = cross_entropy(model, pairs)
    batches = translation_batches(pairs, 400, torch.Generator().manual_seed(0))
    done = fit(model, partial(predict_pairs, model), batches, config, device="cpu")
    assert done.updates == 400
    assert done.diverged_at is None
    after = cross_entropy(model, pairs)
    assert after < 0.1 < before
    translated = characters.decode(translate(model, pairs, beam=3))
    assert np.mean([t == s for t, s in zip(translated, texts, strict=True)]) > 0.9


def test_a_training_that_diverges_says_when():
    pairs = encode(Texts(("ab",) * 8, ("ba",) * 8), Characters(["ab"]), 8, "cpu")
    model = small_model(6)
    order = torch.Generator().manual_seed(0)
    batches = translation_batches(pairs, 100, order)
    numbers = itertools.count()

    def spoilt(source, target):
        found = predict_pairs(model, source, target)
        return Prediction(found.logits * math.nan, found.targets) if next(numbers) == 7 else found

    done = fit(model, spoilt, batches, TrainConfig(updates=200, warmup=1), device="cpu")
    assert done.diverged_at == 7
    assert done.updates == 50


def test_batches_are_moved_as_they_were_drawn():
    def drawn(seed):
        generator = torch.Generator().manual_seed(seed)
        while True:
            yield torch.randint(9, (3, 2), generator=generator), torch.randint(5, (3,), generator=generator)

    for moved, expected in itertools.islice(zip(move_batches(drawn(0), "cpu"), drawn(0), strict=True), 120):
        assert all(torch.equal(a, b) for a, b in zip(moved, expected, strict=True))
    assert list(move_batches(iter([]), "cpu")) == []


# --- beam search --------------------------------------------------------------------------------


def all_sequences(model, source, most, vocabulary):
    """Every ended hypothesis of at most ``max_length`` tokens with its log-probability, one by one."""
    tokens = [t for t in range(vocabulary) if t not in (PAD, BOS, EOS)]
    found = []
    for length in range(most):
        for middle in itertools.product(tokens, repeat=length):
            sequence = [*middle, EOS]
            logits = model(source, None, torch.tensor([[BOS, *middle]]))[0].float()
            found.append((sequence, sum(logits[i].log_softmax(-1)[t].item() for i, t in enumerate(sequence))))
    return found


@pytest.mark.parametrize("penalty", [0.0, 1.0])
def test_a_wide_beam_finds_the_best_of_all_sequences(penalty):
    model = small_model(6).eval()
    with torch.no_grad():
        for p in model.parameters():
            p.add_(0.3 * torch.randn_like(p))
    source = torch.randint(3, 6, (1, 4))
    with torch.inference_mode():
        best, value = max(((s, v / len(s) ** penalty) for s, v in all_sequences(model, source, 4, 6)), key=lambda pair: pair[1])
        tokens, score = search(model, source, None, Beam(width=60, max_length=4, length_penalty=penalty))
    # The PAD and BOS that a search forbids do not free their probability for others.
    assert score.item() == pytest.approx(value, abs=1e-4)
    assert tokens[0, : len(best)].tolist() == best


def test_a_beam_of_one_is_greedy_and_the_batch_does_not_matter():
    model = small_model(8).eval()
    with torch.no_grad():
        for p in model.parameters():
            p.add_(0.3 * torch.randn_like(p))
    source = torch.randint(3, 8, (5, 4))
    with torch.inference_mode():
        together, _ = search(model, source, None, Beam(width=1, max_length=6))
        for i in range(5):
            alone, _ = search(model, source[i : i + 1], None, Beam(width=1, max_length=6))
            n = alone[0].tolist().index(EOS) + 1
            assert together[i, :n].tolist() == alone[0, :n].tolist()
            greedy = [BOS]
            for position in range(6):
                logits = model(source[i : i + 1], None, torch.tensor([greedy]))[0, -1]
                logits[[PAD, BOS]] = -math.inf
                greedy.append(EOS if position == 5 else int(logits.argmax()))
                if greedy[-1] == EOS:
                    break
            assert greedy[1:] == alone[0, :n].tolist()


def test_translations_keep_the_order_and_the_limit(rng):
    model = small_model(8, longest=9)
    pairs = encode(Texts(("abcd", "", "abcdabc"), ("a", "b", "c")), Characters(["abcd"]), 9, "cpu")
    together = translate(model, pairs, beam=2)
    assert len(together) == 3
    assert all(len(t) <= 8 for t in together)
    for i in range(3):
        alone = Pairs(pairs.source[i : i + 1], pairs.target[i : i + 1])
        assert translate(model, alone, beam=2, max_length=9)[0] == translate(model, pairs, beam=2, max_length=9)[i]


# --- BLEU ---------------------------------------------------------------------------------------


def test_bleu_is_sacrebleus_and_its_counts_give_it_again(rng):
    references = sentences(40, rng)
    hypotheses = [" ".join(w for w in r.split() if rng.random() < 0.8) or "ein" for r in references]
    found = bleu(hypotheses, references)
    assert found.score == pytest.approx(BLEU().corpus_score(hypotheses, [list(references)]).score)
    assert "tok:13a" in found.signature
    assert from_counts(found.counts.sum(0)) == pytest.approx(found.score)
    some = rng.integers(40, size=(3, 40))
    for chosen, score in zip(some, from_counts(found.counts[some].sum(1)), strict=True):
        expected = BLEU().corpus_score([hypotheses[i] for i in chosen], [[references[i] for i in chosen]]).score
        assert score == pytest.approx(expected)


def test_bleu_of_nothing_right_is_zero_and_of_the_reference_a_hundred():
    assert bleu(["a b c d e"], ["v w x y z"]).score == from_counts(bleu(["a b c d e"], ["v w x y z"]).counts.sum(0)) == 0
    assert bleu(["a b c d e"], ["a b c d e"]).score == pytest.approx(100)
    few = bleu(["a b c x y z"], ["a b c d e f"])
    assert from_counts(few.counts.sum(0)) == pytest.approx(few.score)
    with pytest.raises(ValueError, match="2 hypotheses and 1"):
        bleu(["a", "b"], ["a"])
