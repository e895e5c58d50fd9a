"""The definition, written down as loops."""

import torch


def loops(x, kernel, left_context):
    """y[b, i, c] = Σ_j kernel[…, c // (d / h), j] x[b, i + j − left, c], one product at a time."""
    b, n, d = x.shape
    h, k = kernel.shape[-2:]
    y = []
    for sentence in range(b):
        for i in range(n):
            for c in range(d):
                total = torch.zeros((), dtype=x.dtype)
                for j in range(k):
                    if 0 <= i + j - left_context < n:
                        w = kernel[c // (d // h), j] if kernel.dim() == 2 else kernel[sentence, i, c // (d // h), j]
                        total = total + w * x[sentence, i + j - left_context, c]
                y.append(total)
    return torch.stack(y).reshape(b, n, d)


def draw(b, n, d, h, k, *, dynamic, dtype=torch.float64, seed=0):
    g = torch.Generator().manual_seed(seed)
    x = torch.randn(b, n, d, generator=g, dtype=torch.float64).to(dtype)
    kernel = torch.randn(*((b, n) if dynamic else ()), h, k, generator=g, dtype=torch.float64).to(dtype)
    return x.requires_grad_(), kernel.requires_grad_()


def with_gradients(compute, x, kernel, left_context):
    """Output and both gradients for one fixed direction."""
    y = compute(x, kernel, left_context)
    direction = torch.randn(y.shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64).to(y.dtype)
    return (y, *torch.autograd.grad(y, (x, kernel), direction))
