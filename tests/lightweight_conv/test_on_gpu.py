"""What only a GPU can show of the fused kernels. Skipped where there is none."""

import pytest
import torch

from myths.lightweight_conv.convolution import convolve, convolve_gated, convolve_predicted, default_left_context, fastest_backend
from tests.lightweight_conv.oracle import draw, with_gradients

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU here")


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-10), (torch.float32, 1e-4), (torch.bfloat16, 6e-2)])
@pytest.mark.parametrize("dynamic", [False, True])
@pytest.mark.parametrize(("b", "n", "d", "h", "k"), [(3, 100, 96, 3, 31), (2, 33, 64, 64, 3), (1, 5, 64, 4, 31), (4, 2048, 256, 4, 15)])
def test_the_fused_kernels_are_the_definition(b, n, d, h, k, dynamic, dtype, tolerance):
    left_context = default_left_context(k, causal=False)
    x, kernel = draw(b, n, d, h, k, dynamic=dynamic)
    expected = with_gradients(lambda *a: convolve(*a, "banded"), x, kernel, left_context)
    there = [t.detach().to("cuda", dtype).requires_grad_() for t in (x, kernel)]
    y = convolve(*there, left_context)
    assert fastest_backend(*there) == "fused"
    direction = torch.randn(y.shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64).to("cuda", dtype)
    got = (y, *torch.autograd.grad(y, there, direction))
    for a, e in zip(got, expected, strict=True):
        torch.testing.assert_close(a.cpu().double(), e, rtol=tolerance, atol=tolerance * float(e.detach().abs().max()))


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 1e-4), (torch.bfloat16, 6e-2)])
@pytest.mark.parametrize(("b", "n", "d", "h", "k"), [(3, 100, 96, 3, 31), (1, 5, 80, 1, 31), (4, 2048, 256, 4, 15)])
def test_gate_mask_and_softmax_are_those_of_the_definition(b, n, d, h, k, dtype, tolerance):
    left_context, mask = default_left_context(k, causal=True), torch.rand(b, n, generator=torch.Generator().manual_seed(2)) > 0.3
    for dynamic in (False, True):
        x, kernel = draw(b, n, d if dynamic else 2 * d, h, k, dynamic=dynamic)

        def compute(x, kernel, left, backend="auto", dynamic=dynamic):
            if dynamic:
                return convolve_predicted(x, kernel, left, softmax=True, backend=backend)
            return convolve_gated(x, kernel, left, mask.to(x.device), backend)

        expected = with_gradients(lambda *a: compute(*a, "banded"), x, kernel, left_context)
        there = [t.detach().to("cuda", dtype).requires_grad_() for t in (x, kernel)]
        y = compute(*there, left_context)
        direction = torch.randn(y.shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64).to("cuda", dtype)
        for a, e in zip((y, *torch.autograd.grad(y, there, direction)), expected, strict=True):
            torch.testing.assert_close(a.cpu().double(), e, rtol=tolerance, atol=tolerance * float(e.detach().abs().max()))


def test_dropconnect_keeps_the_mean_and_drops_anew():
    x, weights = torch.ones(4, 256, 64, device="cuda"), torch.ones(4, 256, 2, 9, device="cuda")
    first, second = (convolve_predicted(x, weights, 0, softmax=False, dropout=0.25)[:, :248] for _ in range(2))
    assert not torch.equal(first, second)
    assert abs(float(first.mean()) / 9 - 1) < 0.02
