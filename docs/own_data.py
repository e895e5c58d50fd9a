"""The example data of docs/own-data.md, from what scikit-learn and scikit-image carry: ``python docs/own_data.py FOLDER``."""

from __future__ import annotations

import itertools
import random
import sys
from pathlib import Path

import numpy as np
import skimage.data
from PIL import Image
from sklearn.datasets import load_digits

DIGITS = (2, 4, 5, 9)
PLANTED = 5
"""Digits that are put into the folder of another class."""
WHO = {
    "a man": "ein Mann", "a woman": "eine Frau", "a child": "ein Kind", "a dog": "ein Hund", "an old man": "ein alter Mann",
    "a young woman": "eine junge Frau", "a girl": "ein Mädchen", "a boy": "ein Junge", "two men": "zwei Männer",
    "three children": "drei Kinder",
}  # fmt: skip
DOES = {
    ("sits", "sit"): ("sitzt", "sitzen"), ("stands", "stand"): ("steht", "stehen"), ("waits", "wait"): ("wartet", "warten"),
    ("sings", "sing"): ("singt", "singen"), ("sleeps", "sleep"): ("schläft", "schlafen"), ("plays", "play"): ("spielt", "spielen"),
    ("laughs", "laugh"): ("lacht", "lachen"),
}  # fmt: skip
WHERE = {
    "in the park": "im Park", "on the beach": "am Strand", "in front of a house": "vor einem Haus", "under a tree": "unter einem Baum",
    "next to a red car": "neben einem roten Auto", "in a small boat": "in einem kleinen Boot", "behind the school": "hinter der Schule",
    "at the market": "auf dem Markt",
}  # fmt: skip
WHEN = {
    "today": "heute", "in the evening": "am Abend", "in the morning": "am Morgen", "in winter": "im Winter", "on Sunday": "am Sonntag",
    "again": "wieder", "at night": "in der Nacht",
}  # fmt: skip


def digits(folder: Path) -> list[str]:
    """Write 43 digits of each of four classes as train/CLASS and test/CLASS, some in a wrong folder, and a file that is no image.

    Returns:
        The wrong ones, as "file: true class".
    """
    rng = np.random.default_rng(2026)
    data = load_digits()
    chosen = [
        ("test" if k < 5 else "train", digit, int(i))
        for digit in DIGITS
        for k, i in enumerate(rng.permutation(np.flatnonzero(data.target == digit))[:43])
    ]
    wrong = []
    for k in rng.choice([k for k, (part, *_) in enumerate(chosen) if part == "train"], PLANTED, replace=False):
        part, digit, i = chosen[k]
        label = int(rng.choice([other for other in DIGITS if other != digit]))
        chosen[k] = part, label, i
        wrong.append(f"{part}/{label}/{i:04d}.png: {digit}")
    for part, label, i in chosen:
        file = folder / part / str(label) / f"{i:04d}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray((data.images[i] / 16 * 255).astype(np.uint8)).save(file)
    (folder / "train/2/broken.png").write_bytes(b"\x89PNG\r\n\x1a\nnot")
    return wrong


def photographs(kept: Path, sent: Path) -> None:
    """Cut four photographs into squares of 32 pixels; every other square goes to ``sent``, as a JPEG of low quality."""
    rng = np.random.default_rng(3)
    number = itertools.count()
    for folder in (kept, sent):
        folder.mkdir(parents=True)
    for photo in (skimage.data.astronaut(), skimage.data.coffee(), skimage.data.cat(), skimage.data.rocket()):
        height, width = photo.shape[:2]
        corners = list(itertools.product(range(0, height - 31, 32), range(0, width - 31, 32)))
        for y, x in rng.permutation(corners):
            n = next(number)
            square = Image.fromarray(photo[y : y + 32, x : x + 32])
            if n % 2:
                square.save(sent / f"{n:04d}.jpg", quality=40)
            else:
                square.save(kept / f"{n:04d}.png")


def captions(folder: Path) -> None:
    """Write 3,600 made sentences in English and German, in three parts. German begins with the time and puts the verb next."""
    pairs = []
    for (who, wer), (does, tut), (where, wo), (when, wann) in itertools.product(*(each.items() for each in (WHO, DOES, WHERE, WHEN))):
        many = who in ("two men", "three children")
        english, german = f"{who} {does[many]} {where} {when}.", f"{wann} {tut[many]} {wer} {wo}."
        pairs.append((english[0].upper() + english[1:], german[0].upper() + german[1:]))
    random.Random(0).shuffle(pairs)
    folder.mkdir(parents=True)
    for part, (start, end) in {"train": (0, 3000), "val": (3000, 3300), "test": (3300, 3600)}.items():
        for side, language in enumerate(("en", "de")):
            lines = (pair[side] for pair in pairs[start:end])
            (folder / f"{part}.{language}").write_text("\n".join(lines) + "\n", encoding="utf-8")


def main() -> None:
    """Write digits/, kept/, sent/, texts/ and cat.png below the folder that is given."""
    if len(sys.argv) != 2:
        sys.exit("usage: python docs/own_data.py FOLDER")
    folder = Path(sys.argv[1])
    if folder.exists() and any(folder.iterdir()):
        sys.exit(f"{folder} is not empty: name a new folder")
    wrong = digits(folder / "digits")
    photographs(folder / "kept", folder / "sent")
    captions(folder / "texts")
    Image.fromarray(skimage.data.cat()).save(folder / "cat.png")
    print(f"{folder}: digits kept sent texts cat.png")
    print(f"digits in a wrong folder, with their true class: {', '.join(wrong)}")


if __name__ == "__main__":
    main()
