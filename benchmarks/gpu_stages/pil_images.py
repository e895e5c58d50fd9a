"""A dataset of PIL images that are transformed one by one, as in torchvision's CIFAR-10."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.utils.data import Dataset
from torchvision.transforms import v2


class PilImages(Dataset):
    """PIL images that are cropped, flipped and converted when they are read."""

    def __init__(self, x: Tensor, y: Tensor):
        from PIL import Image

        self.images = [Image.fromarray(image) for image in x.permute(0, 2, 3, 1).numpy()]
        self.labels = y.tolist()
        steps = [v2.RandomCrop(32, padding=4), v2.RandomHorizontalFlip(), v2.ToImage(), v2.ToDtype(torch.float32, scale=True)]
        self.transform = v2.Compose(steps)

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        return self.transform(self.images[index]), self.labels[index]
