"""Numbers of Wu et al. 2019, read in a summary of the paper (secondary source), not in the paper itself."""

from __future__ import annotations

from dataclasses import dataclass

from myths.lightweight_conv.layer_names import Layer


@dataclass(frozen=True)
class AblationRow:
    """A row of Table 3: mean and standard deviation of BLEU on newstest2013 over seeds, and sentences per second on a P100."""

    bleu: float
    std: float
    sentences_per_second: float


ABLATION: dict[Layer, AblationRow] = {
    "attention": AblationRow(26.9, 0.1, 52.1),
    "attention-window": AblationRow(26.9, 0.3, 54.9),
    "dense-conv": AblationRow(25.9, 0.2, 68.1),
    "depthwise": AblationRow(26.1, 0.2, 67.1),
    "increasing-kernel": AblationRow(26.4, 0.2, 63.3),
    "dropconnect": AblationRow(26.5, 0.2, 63.3),
    "shared-kernel": AblationRow(26.5, 0.1, 63.7),
    "lightweight": AblationRow(26.6, 0.2, 63.6),
    "dynamic": AblationRow(26.9, 0.2, 62.6),
}
