"""Built-in datasets: data of installed packages and procedurally generated images."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

SHAPES = ("disc", "ring", "square", "cross", "triangle", "stripes")


def digits() -> dict[str, np.ndarray]:
    """Return scikit-learn's handwritten digits (UCI, 13 writers) in a fixed stratified split.

    Returns:
        x_train uint8 [1197, 8, 8] in 0..255, y_train uint8 [1197], x_test [600, 8, 8], y_test [600], classes.
    """
    from sklearn.datasets import load_digits

    source = load_digits()
    images = (source.images * 255 // 16).astype(np.uint8)  # 17 gray levels, spread over the byte as in other image sets
    labels = source.target.astype(np.uint8)
    test = np.zeros(len(labels), dtype=bool)
    for label, share in enumerate(_shares(np.bincount(labels), 600)):
        members = np.flatnonzero(labels == label)
        # Evenly spaced, since neighbors in the file are often by one writer.
        test[members[np.arange(share) * len(members) // share]] = True
    return {
        "x_train": images[~test],
        "y_train": labels[~test],
        "x_test": images[test],
        "y_test": labels[test],
        "classes": np.array([str(d) for d in range(10)]),
    }


def shapes() -> dict[str, np.ndarray]:
    """Return images of six shapes with random color, size, position, background and noise.

    A small convolutional network learns them in about one second. The bytes are identical on every machine: they come from raw words of
    a counter-based generator and integer arithmetic, because NumPy guarantees no other stream.

    Returns:
        x_train uint8 [1200, 16, 16, 3], y_train uint8 [1200], x_test [300, 16, 16, 3], y_test [300], classes.
    """
    size, n_train, n = 16, 1200, 1500
    words = np.random.Philox(key=20260701)
    labels = np.arange(n) % len(SHAPES)

    def draw(low: int, high: int, *shape: int) -> np.ndarray:
        raw = words.random_raw(int(np.prod(shape))) >> np.uint64(32)
        return (low + (raw * np.uint64(high - low) >> np.uint64(32)).astype(np.int64)).reshape(shape)

    radius = draw(4, 7, n, 1, 1)
    center_y, center_x = (draw(6, 10, n, 1, 1) for _ in range(2))
    y, x = np.mgrid[:size, :size][:, None]
    dy, dx = y - center_y, x - center_x
    far = np.maximum(abs(dy), abs(dx))
    square_distance = dy * dy + dx * dx
    inside = np.stack(
        [
            square_distance <= radius * radius,
            (square_distance <= radius * radius) & (square_distance >= (radius - 2) * (radius - 2)),
            far < radius,
            (far <= radius) & (np.minimum(abs(dy), abs(dx)) <= 1),
            (abs(dy) <= radius) & (2 * abs(dx) <= dy + radius),
            (far <= radius) & (y % 4 < 2),
        ]
    )[labels, np.arange(n)]
    background = draw(0, 110, n, 1, 1, 3)
    ink = background + draw(70, 120, n, 1, 1, 3)
    images = np.where(inside[..., None], ink, background) + draw(0, 25, n, size, size, 3)
    images, labels = images.astype(np.uint8), labels.astype(np.uint8)
    return {
        "x_train": images[:n_train],
        "y_train": labels[:n_train],
        "x_test": images[n_train:],
        "y_test": labels[n_train:],
        "classes": np.array(SHAPES),
    }


BUILT_IN: dict[str, Callable[[], dict[str, np.ndarray]]] = {"digits": digits, "shapes": shapes}


def _shares(counts: np.ndarray, total: int) -> np.ndarray:
    """Divide ``total`` in proportion to ``counts`` by the largest-remainder method."""
    parts, remainders = np.divmod(counts * total, counts.sum())
    parts[np.argsort(-remainders, kind="stable")[: total - parts.sum()]] += 1
    return parts
