"""Dynamic Tanh and Derf against NumPy and SciPy."""

import numpy as np
import pytest
import torch
from scipy import special

from myths.lab.dynamic_tanh import DynamicErf, DynamicTanh


@pytest.mark.parametrize(("kind", "function"), [(DynamicTanh, np.tanh), (DynamicErf, special.erf)])
@pytest.mark.parametrize(("shape", "size"), [((5,), (3, 4, 5)), ((5, 1, 1), (3, 5, 4, 2))])
def test_the_function_and_its_parameters(kind, function, shape, size):
    layer, x = kind(*shape), torch.randn(size, generator=torch.Generator().manual_seed(0))
    assert np.allclose(layer(x).detach().numpy(), function(0.5 * x.numpy()), atol=1e-6)
    rng = np.random.default_rng(0)
    with torch.no_grad():
        for each in layer.parameters():
            each.copy_(torch.tensor(rng.normal(size=each.shape)))
    alpha, weight, bias = (each.detach().numpy() for each in (layer.alpha, layer.weight, layer.bias))
    shift = layer.shift.item() if isinstance(layer, DynamicErf) else 0.0
    assert np.allclose(layer(x).detach().numpy(), weight * function(alpha * x.numpy() + shift) + bias, atol=1e-5)


@pytest.mark.parametrize("kind", [DynamicTanh, DynamicErf])
def test_every_parameter_is_learned(kind):
    layer = kind(3)
    layer(torch.linspace(-2, 3, 12).view(4, 3)).square().sum().backward()
    assert all(each.grad is not None and each.grad.abs().sum() > 0 for each in layer.parameters())
