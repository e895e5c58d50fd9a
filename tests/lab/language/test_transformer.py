import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from myths.lab.dynamic_tanh import DynamicErf, DynamicTanh
from myths.lab.errors import UsageError
from myths.lab.language.attention import AttentionMask, CrossAttention, SelfAttention, attend
from myths.lab.language.transformer import (
    EncoderDecoder,
    FeedForward,
    LanguageModel,
    ScalarBias,
    ScalarMultiplier,
    TransformerConfig,
    parameters,
    sinusoids,
)

NORMALIZATIONS = ("layer", "fixup", "none", "dyt", "derf")


def attention(layer, *, causal):
    return SelfAttention(16, 4, causal=causal)


def shape(**changed):
    sizes = {"vocabulary": 11, "embed_dim": 16, "ffn_dim": 32, "heads": 4, "encoder_layers": 2, "decoder_layers": 2, "max_length": 12}
    return TransformerConfig(**sizes | {"dropout": 0.0} | changed)


@pytest.fixture(autouse=True)
def _drawn():
    torch.manual_seed(0)


def learnt(model):
    """As after some training: no parameter is left at the zero or one that it started with."""
    with torch.no_grad():
        for p in model.parameters():
            p.add_(0.1 * torch.randn_like(p))
    return model.double().eval()


def reference(q, k, v, allowed):
    scores = torch.einsum("bhme,bhne->bhmn", q, k) / math.sqrt(q.shape[-1])
    return torch.einsum("bhmn,bhne->bhme", scores.masked_fill(~allowed, -1e30).softmax(-1), v)


@pytest.mark.parametrize("computation", ["auto", "fused", "plain"])
@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("masked", [False, True])
def test_attention_is_the_softmax_of_scaled_products(computation, causal, masked):
    q, k, v = torch.randn(3, 2, 4, 5, 3, dtype=torch.float64)
    mask = torch.tensor([[1, 1, 1, 1, 1], [1, 1, 1, 0, 0]], dtype=torch.bool)
    allowed = torch.ones(2, 1, 5, 5, dtype=torch.bool)
    if masked:
        allowed = allowed & mask[:, None, None]
    if causal:
        allowed = allowed & torch.ones(5, 5, dtype=torch.bool).tril()
    got = attend(q, k, v, AttentionMask(mask if masked else None, causal), dropout=0.0, computation=computation)
    real = mask if masked else torch.ones_like(mask)
    torch.testing.assert_close(got.transpose(1, 2)[real], reference(q, k, v, allowed).transpose(1, 2)[real])
    assert got.isfinite().all()


@pytest.mark.parametrize("computation", ["auto", "fused", "plain"])
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
@settings(max_examples=20, deadline=None)
@given(kept=st.lists(st.lists(st.booleans(), min_size=6, max_size=6), min_size=1, max_size=4), causal=st.booleans(), cross=st.booleans())
def test_any_mask_leaves_values_and_gradients_finite_and_rows_without_a_key_zero(computation, dtype, kept, causal, cross):
    mask = torch.tensor(kept)
    torch.manual_seed(0)
    x, encoded = torch.randn(2, len(kept), 6, 16, dtype=dtype).requires_grad_()
    if cross:
        layer = CrossAttention(16, 4).to(dtype)
        got = layer(x, layer.precompute_memory(encoded), mask)
    else:
        layer = SelfAttention(16, 4, causal=causal, computation=computation).to(dtype)
        got = layer(x, mask)
    slopes = torch.autograd.grad(got.float().square().sum(), [x, *layer.parameters()])
    assert all(t.isfinite().all() for t in (got, *slopes))
    nothing = ~mask.any(1)
    assert not got[nothing].any()
    assert not slopes[0][nothing].any()


@pytest.mark.parametrize("normalization", NORMALIZATIONS)
def test_an_empty_source_leaves_training_and_decoding_finite(normalization):
    model = learnt(EncoderDecoder(shape(normalization=normalization), attention))
    source, target = torch.randint(1, 11, (2, 4)), torch.randint(1, 11, (2, 3))
    mask = torch.tensor([[True] * 4, [False] * 4])
    logits = model(source, mask, target)
    slopes = torch.autograd.grad(logits.square().sum(), list(model.parameters()))
    step, _ = model.step(target[:, 0], model.begin(source, mask))
    assert all(t.isfinite().all() for t in (logits, step, *slopes))


def test_self_attention_is_torchs_own_multi_head_attention():
    ours, torchs = SelfAttention(16, 4, causal=False).double(), nn.MultiheadAttention(16, 4, batch_first=True).double()
    with torch.no_grad():
        torchs.in_proj_weight.copy_(ours.project_in.weight)
        torchs.in_proj_bias.copy_(ours.project_in.bias)
        torchs.out_proj.weight.copy_(ours.project_out.weight)
        torchs.out_proj.bias.copy_(ours.project_out.bias)
    x = torch.randn(2, 6, 16, dtype=torch.float64)
    mask = torch.tensor([[True] * 6, [True] * 4 + [False] * 2])
    expected, _ = torchs(x, x, x, key_padding_mask=~mask)
    torch.testing.assert_close(ours(x, mask), expected)


@pytest.mark.parametrize("normalization", NORMALIZATIONS)
def test_position_by_position_is_all_at_once(normalization):
    model = learnt(EncoderDecoder(shape(normalization=normalization), attention))
    source, target = torch.randint(1, 11, (3, 7)), torch.randint(1, 11, (3, 5))
    mask = torch.arange(7) < torch.tensor([[7], [5], [2]])
    whole = model(source, mask, target)
    state = model.begin(source, mask)
    for position in range(5):
        logits, state = model.step(target[:, position], state)
        torch.testing.assert_close(logits, whole[:, position])


def test_hypotheses_of_a_sentence_share_its_memory():
    model = learnt(EncoderDecoder(shape(), attention))
    source, target = torch.randint(1, 11, (2, 4)), torch.randint(1, 11, (6, 3))
    state = model.begin(source, None, beam=3)
    whole = model(source.repeat_interleave(3, 0), None, target)
    for position in range(2):
        logits, state = model.step(target[:, position], state)
        torch.testing.assert_close(logits, whole[:, position])
    order = torch.tensor([2, 2, 0, 5, 3, 4])
    logits, _ = model.step(target[order, 2], state.reordered(order))
    torch.testing.assert_close(logits, whole[order, 2])


@pytest.mark.parametrize("normalization", NORMALIZATIONS)
def test_no_token_sees_a_later_one_or_padding(normalization):
    model = learnt(EncoderDecoder(shape(normalization=normalization), attention))
    source, target = torch.randint(1, 11, (1, 6)), torch.randint(1, 11, (1, 6))
    mask = torch.arange(6)[None] < 4
    before = model(source, mask, target)
    changed_source, changed_target = source.clone(), target.clone()
    changed_source[:, 4:] = 1 + source[:, 4:] % 10
    changed_target[:, 3:] = 1 + target[:, 3:] % 10
    after = model(changed_source, mask, changed_target)
    torch.testing.assert_close(after[:, :3], before[:, :3])
    assert (after[:, 3:] - before[:, 3:]).abs().max() > 1e-3


def test_a_language_model_sees_only_the_past():
    model = learnt(LanguageModel(shape(encoder_layers=0), attention))
    tokens = torch.randint(1, 11, (2, 8))
    changed = tokens.clone()
    changed[:, 5:] = 1 + tokens[:, 5:] % 10
    torch.testing.assert_close(model(tokens)[:, :5], model(changed)[:, :5])


def test_fixup_starts_with_every_branch_at_zero_and_scaled_first_maps():
    fixup = EncoderDecoder(shape(normalization="fixup"), attention)
    L = 2 * 2 + 3 * 2
    assert shape().branches == L
    feed = [m for m in fixup.modules() if isinstance(m, FeedForward)]
    assert len(feed) == 4
    for m in feed:
        bound = math.sqrt(6 / (16 + 32)) * L**-0.5
        assert 0.9 * bound < m.fc1.weight.abs().max() <= bound
        assert m.fc2.weight.abs().max() == 0
        assert m.fc1.bias is None
    looks = [m for m in fixup.modules() if isinstance(m, CrossAttention | SelfAttention)]
    assert len(looks) == 6
    assert all(m.project_out.weight.abs().max() == 0 for m in looks)
    inputs = [m.project_in.weight.abs().max() for m in fixup.modules() if isinstance(m, SelfAttention)]
    assert max(inputs) <= math.sqrt(6 / (16 + 48)) * L ** (-1 / 6) + 1e-6
    queries = [m.query.weight.abs().max() for m in fixup.modules() if isinstance(m, CrossAttention)]
    assert max(queries) <= math.sqrt(6 / (16 + 16)) * L ** (-1 / 6) + 1e-6
    scalars = [m for m in fixup.modules() if isinstance(m, ScalarBias | ScalarMultiplier)]
    assert len(scalars) == 10 * 2 + 2 + 2 * 4  # a shift and a scale a branch, two shifts a feed-forward, one before each softmax's stack
    assert not any(isinstance(m, nn.LayerNorm) for m in fixup.modules())
    # Every branch gives zero, so the encoder gives back the embedding.
    source = torch.randint(1, 11, (2, 5))
    fixup.eval()
    torch.testing.assert_close(fixup.encode(source, None), fixup.embed(source))


def test_fixup_classifies_from_zero_when_it_has_its_own_matrix():
    model = EncoderDecoder(shape(normalization="fixup", tied=False), attention)
    assert model.logits.classify.weight.abs().max() == 0
    assert parameters(model) == parameters(EncoderDecoder(shape(normalization="fixup"), attention)) + 11 * 16


def test_a_normalization_and_what_replaces_it_is_everywhere():
    def places(normalization, kind):
        return {name for name, m in EncoderDecoder(shape(normalization=normalization), attention).named_modules() if type(m) is kind}

    with_layer = places("layer", nn.LayerNorm)
    assert len(with_layer) == 2 * 2 + 3 * 2 + 2
    assert places("dyt", DynamicTanh) == places("derf", DynamicErf) == with_layer
    assert {name for n in NORMALIZATIONS[1:] for name in places(n, nn.LayerNorm)} == set()


def test_too_long_a_sequence_is_refused_in_words():
    model = EncoderDecoder(shape(), attention)
    with pytest.raises(UsageError, match=r"13 tokens exceeds the maximum length 12.*max_length"):
        model(torch.ones(1, 13, dtype=torch.int64), None, torch.ones(1, 2, dtype=torch.int64))


def test_heads_must_divide_the_channels():
    with pytest.raises(UsageError, match=r"heads=3 does not divide 16.*1, 2, 4, 8, 16"):
        SelfAttention(16, 3, causal=True)


def test_only_a_causal_layer_goes_step_by_step():
    with pytest.raises(UsageError, match="causal=True"):
        SelfAttention(16, 4, causal=False).start(1, torch.device("cpu"), torch.float32)


def test_sinusoids_turn_at_the_published_rates():
    table = sinusoids(50, 8)
    assert table[7, 0] == pytest.approx(math.sin(7), abs=1e-6)
    assert table[7, 3] == pytest.approx(math.cos(7 / 10_000 ** (2 / 8)), abs=1e-6)
    assert sinusoids(3, 5).shape == (3, 5)
