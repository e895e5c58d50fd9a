"""Export the learned kernels of a translation model as rows."""

from __future__ import annotations

from dataclasses import dataclass

from myths.lab.trial import Context, Outcome, Trial
from myths.lightweight_conv.trials.translation_models import TrainTranslationModel


@dataclass(frozen=True, kw_only=True)
class ExportKernels(Trial):
    """Export the kernel of each head. Kernels of dynamic convolutions are averaged over positions."""

    model: TrainTranslationModel
    """Translation model whose kernels are exported."""

    @property
    def relative_cost(self) -> float:
        """Negligible cost."""
        return 0.01

    @classmethod
    def test_instance(cls) -> ExportKernels:
        """Return the export of the smallest translation model."""
        return cls(model=TrainTranslationModel.test_instance())

    def run(self, context: Context) -> Outcome:
        """Return one row per weight: ``stack``, ``layer_index`` (from 0), ``head``, ``offset`` (negative is earlier) and ``weight``."""
        from myths.lightweight_conv.convolution import default_left_context

        arrays = context.outcome(self.model).arrays
        rows = []
        for name in sorted(name for name in arrays if name.startswith("kernel_")):
            _, stack, index = name.split("_")
            kernel = arrays[name]
            left_context = default_left_context(kernel.shape[1], causal=stack == "decoder")
            rows += [
                {"stack": stack, "layer_index": int(index), "head": head, "offset": tap - left_context, "weight": float(f"{weight:.5g}")}
                for head, weights in enumerate(kernel.tolist())
                for tap, weight in enumerate(weights)
            ]
        return Outcome(rows=rows)
