"""The kernels that a trained translator has learnt, as rows."""

from __future__ import annotations

from dataclasses import dataclass

from myths.lab.trial import Context, Outcome, Trial
from myths.lightweight_conv.translators import TrainTranslator


@dataclass(frozen=True, kw_only=True)
class ListKernels(Trial):
    """Every weight of every kernel: lightweight convolutions have one a head, of dynamic ones it is the mean over positions."""

    model: TrainTranslator
    """Translator whose kernels are listed."""

    @property
    def relative_cost(self) -> float:
        """Next to nothing."""
        return 0.01

    @classmethod
    def test_instance(cls) -> ListKernels:
        """Of the smallest translator."""
        return cls(model=TrainTranslator.test_instance())

    def run(self, context: Context) -> Outcome:
        """A row a weight: ``side``, ``depth`` from 0, ``head``, ``offset`` in positions (negative is earlier), ``weight``."""
        from myths.lightweight_conv.convolution import centered

        arrays = context.outcome(self.model).arrays
        rows = []
        for name in sorted(name for name in arrays if name.startswith("kernel_")):
            _, side, depth = name.split("_")
            kernel = arrays[name]
            left = centered(kernel.shape[1], causal=side == "decoder")
            rows += [
                {"side": side, "depth": int(depth), "head": head, "offset": tap - left, "weight": float(f"{weight:.5g}")}
                for head, weights in enumerate(kernel.tolist())
                for tap, weight in enumerate(weights)
            ]
        return Outcome(rows=rows)
