"""What only a GPU can show of the fused kernels. Skipped where there is none."""

import pytest
import torch

from myths.lightweight_conv.convolution import convolve, default_left_context, fastest_backend
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
