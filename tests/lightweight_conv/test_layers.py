import math
from typing import get_args

import pytest
import torch

from myths.lab.errors import UsageError
from myths.lab.language.transformer import EncoderDecoder, TransformerConfig
from myths.lightweight_conv import layers
from myths.lightweight_conv.layer_names import Layer, increasing_kernel_sizes
from myths.lightweight_conv.layers import LayerConfig, build, builder
from tests.lightweight_conv.oracle import loops

KINDS = get_args(Layer)


def made(kind, *, causal, kernel_size=5, channels=8, heads=2):
    torch.manual_seed(0)
    layer = build(kind, LayerConfig(channels=channels, heads=heads, kernel_size=kernel_size, causal=causal)).double().eval()
    with torch.no_grad():
        for p in layer.parameters():
            p.add_(0.1 * torch.randn_like(p))
    return layer


def inputs(b=2, n=9, d=8):
    return torch.randn(b, n, d, dtype=torch.float64, generator=torch.Generator().manual_seed(3))


def gated(layer, x):
    a, gate = (x @ layer.project_in.weight.T + layer.project_in.bias).chunk(2, -1)
    return a * torch.sigmoid(gate)


def projected(layer, y):
    return y @ layer.project_out.weight.T + layer.project_out.bias


@pytest.mark.parametrize("causal", [False, True])
def test_lightweight_is_its_definition(causal):
    layer, x = made("lightweight", causal=causal), inputs()
    kernel = layer.weight.exp() / layer.weight.exp().sum(-1, keepdim=True)
    torch.testing.assert_close(layer(x), projected(layer, loops(gated(layer, x), kernel, 4 if causal else 2)))


@pytest.mark.parametrize("causal", [False, True])
def test_dynamic_is_its_definition(causal):
    layer, x = made("dynamic", causal=causal), inputs()
    z = gated(layer, x)
    kernel = torch.einsum("bnd,kd->bnk", z, layer.predict.weight).reshape(2, 9, 2, 5).softmax(-1)
    torch.testing.assert_close(layer(x), projected(layer, loops(z, kernel, 4 if causal else 2)))


@pytest.mark.parametrize("causal", [False, True])
def test_a_window_is_attention_with_a_band_for_a_mask(causal):
    layer, x = made("attention-window", causal=causal), inputs(n=70)
    i = torch.arange(70)
    offset = i[None] - i[:, None]
    allowed = (offset >= (-4 if causal else -2)) & (offset <= (0 if causal else 2))
    q, k, v = (part.unflatten(-1, (2, 4)).transpose(1, 2) for part in layer.project_in(x).chunk(3, -1))
    scores = (q @ k.transpose(-1, -2) / 2).masked_fill(~allowed, -math.inf)
    expected = (scores.softmax(-1) @ v).transpose(1, 2).flatten(2)
    torch.testing.assert_close(layer(x), projected(layer, expected))


def test_a_window_as_wide_as_the_sequence_is_full_attention():
    full, window = made("attention", causal=True), made("attention-window", causal=True, kernel_size=50)
    torch.testing.assert_close(window(inputs()), full(inputs()))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("kernel_size", [1, 4, 31])
def test_position_by_position_is_all_at_once(kind, kernel_size):
    layer, x = made(kind, causal=True, kernel_size=kernel_size), inputs()
    state, steps = layer.start(2, torch.device("cpu"), torch.float64), []
    for i in range(x.shape[1]):
        y, state = layer.step(x[:, i], state)
        steps.append(y)
    torch.testing.assert_close(torch.stack(steps, 1), layer(x))
    assert all(len(part) == 2 for part in state)


@pytest.mark.parametrize("kind", KINDS)
def test_a_causal_layer_sees_no_later_position(kind):
    layer, x = made(kind, causal=True), inputs()
    changed = x.clone()
    changed[:, 5:] += 1
    torch.testing.assert_close(layer(changed)[:, :5], layer(x)[:, :5])
    assert (layer(changed)[:, 5:] - layer(x)[:, 5:]).abs().min() > 0


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("causal", [False, True])
def test_padding_is_as_if_it_were_not_there(kind, causal):
    layer, x = made(kind, causal=causal), inputs()
    mask = torch.tensor([[True] * 9, [True] * 6 + [False] * 3])
    got = layer(x, mask)
    torch.testing.assert_close(got[0], layer(x)[0])
    torch.testing.assert_close(got[1, :6], layer(x[1:, :6])[0])
    assert got.isfinite().all()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("causal", [False, True])
def test_a_row_of_only_padding_leaves_every_value_and_gradient_finite(kind, causal):
    """And the other rows as they are without it; attention, which has no key to attend to, gives zeros in that row."""
    layer, x = made(kind, causal=causal), inputs(b=3).requires_grad_()
    mask = torch.tensor([[True] * 9, [True] * 6 + [False] * 3, [False] * 9])
    got = layer(x, mask)
    slopes = torch.autograd.grad(got.square().sum(), [x, *layer.parameters()])
    alone = layer(x[:2], mask[:2])
    expected = torch.autograd.grad(alone.square().sum(), [x, *layer.parameters()])
    assert all(t.isfinite().all() for t in (got, *slopes))
    torch.testing.assert_close(got[:2], alone)
    if kind.startswith("attention"):
        assert not got[2].any()
        assert not slopes[0][2].any()
        torch.testing.assert_close(slopes, expected)


@pytest.mark.parametrize("kind", KINDS)
def test_only_a_causal_layer_goes_step_by_step(kind):
    with pytest.raises(UsageError, match="causal=True"):
        made(kind, causal=False).start(1, torch.device("cpu"), torch.float64)


@pytest.mark.parametrize("kind", KINDS)
def test_every_parameter_is_learned(kind):
    layer = made(kind, causal=False)
    layer(inputs()).square().sum().backward()
    assert all(p.grad is not None and p.grad.abs().max() > 0 for p in layer.parameters())


def test_the_parameters_are_those_of_the_paper():
    # d = 1024, k = 7 (Wu et al. 2019, Sec. 3): 7,340,032 of a convolution, 7,168 depthwise, 112 in 16 groups.
    def of_convolution(kind):
        layer = build(kind, LayerConfig(channels=1024, heads=16, kernel_size=7, causal=False))
        around = {id(p) for m in (layer.project_in, layer.project_out) for p in m.parameters()}
        return sum(p.numel() for p in layer.parameters() if id(p) not in around)

    assert of_convolution("increasing-kernel") == 7_168
    assert of_convolution("lightweight") == 112
    assert of_convolution("dynamic") == 1024 * 112
    assert 1024 * 1024 * 7 == 7_340_032
    assert of_convolution("dense-conv") == 1024 * 1024 * 3 + 1024


@pytest.mark.parametrize("kind", ["dropconnect", "shared-kernel", "lightweight", "dynamic"])
def test_drop_connect_drops_taps_only_in_training_and_keeps_the_mean(kind):
    layer = made(kind, causal=False, kernel_size=3).eval()
    layer.weight_dropout = 0.5
    x = inputs(b=1)
    torch.testing.assert_close(layer(x), made(kind, causal=False, kernel_size=3)(x))
    layer.train()
    z = layer.project_in(x)
    with torch.no_grad():
        draws = torch.stack([layer.mix(z, None) for _ in range(1500)])
    torch.testing.assert_close(draws.mean(0), layer.eval().mix(z, None), rtol=0, atol=5 * float(draws.std(0).max()) / math.sqrt(1500))
    assert draws.std(0).max() > 0


def test_lightweight_drops_the_same_taps_at_all_positions_dynamic_does_not():
    z = torch.cat([torch.full((1, 40, 8), 2.0), torch.zeros(1, 40, 8)], dim=2).double()  # gated: ones
    for kind, alike in (("lightweight", True), ("dynamic", False)):
        layer = made(kind, causal=False, kernel_size=1).train()
        layer.weight_dropout = 0.5
        y = layer.mix(z, None)
        assert (len(y[0, :, 0].unique()) == 1) == alike


def test_unknown_layers_and_settings_that_do_not_fit_are_refused():
    with pytest.raises(UsageError, match=r"Unknown layer 'fourier'. Available: attention, .*dynamic"):
        build("fourier", LayerConfig(channels=8, heads=2, kernel_size=3, causal=True))
    for kind in ("attention", "attention-window", "shared-kernel", "lightweight", "dynamic"):
        with pytest.raises(UsageError, match="heads=3 does not divide 8"):
            build(kind, LayerConfig(channels=8, heads=3, kernel_size=3, causal=True))
    for kind in ("attention-window", "increasing-kernel", "lightweight", "dynamic"):
        with pytest.raises(UsageError, match="at least one"):
            build(kind, LayerConfig(channels=8, heads=2, kernel_size=0, causal=True))


def test_kernels_grow_as_in_the_paper():
    assert increasing_kernel_sizes(7) == (3, 7, 15, 31, 31, 31, 31)
    assert increasing_kernel_sizes(6) == (3, 7, 15, 31, 31, 31)
    assert increasing_kernel_sizes(2) == (3, 31)


@pytest.mark.parametrize("kind", KINDS)
def test_a_translation_model_of_any_layer_decodes_step_by_step(kind):
    torch.manual_seed(0)
    shape = TransformerConfig(vocabulary=9, embed_dim=8, ffn_dim=16, heads=2, encoder_layers=2, decoder_layers=2, max_length=12)
    model = EncoderDecoder(shape, builder(kind, channels=8, heads=2, kernel_sizes=(3, 31), dropout=0.1)).double().eval()
    source, target = torch.randint(4, 9, (2, 7)), torch.randint(4, 9, (2, 4))
    mask = torch.arange(7) < torch.tensor([[7], [4]])
    whole, state = model(source, mask, target), model.begin(source, mask)
    for i in range(4):
        logits, state = model.step(target[:, i], state)
        torch.testing.assert_close(logits, whole[:, i])


def test_an_empty_sentence_is_translated_from_its_end_alone():
    model = EncoderDecoder(
        TransformerConfig(vocabulary=9, embed_dim=8, ffn_dim=16, heads=2, encoder_layers=1, decoder_layers=1, max_length=12),
        builder("lightweight", channels=8, heads=2, kernel_sizes=(31,), dropout=0.0),
    )
    assert model(torch.tensor([[2]]), torch.tensor([[True]]), torch.tensor([[1]])).isfinite().all()


def test_the_list_of_layers_is_the_list_of_kinds():
    assert tuple(layers._KINDS) == KINDS
