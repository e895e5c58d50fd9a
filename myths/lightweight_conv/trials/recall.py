"""Train small models with one kind of layer, or a mixture, on associative recall."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from myths.lab.setting import BatchSize, Count, Items, LearningRate, Range, Seed, WeightDecay, check_divides
from myths.lab.trial import Context, Outcome, Protocol, Trial
from myths.lightweight_conv.layer_names import Layer, increasing_kernel_sizes

if TYPE_CHECKING:
    import torch

    from myths.lab.language.training import Prediction
    from myths.lab.language.transformer import LanguageModel
    from myths.lightweight_conv.recall import RecallTask

ATTENTION: tuple[Layer, ...] = ("attention", "attention")
CONVOLUTION: tuple[Layer, ...] = ("dynamic", "dynamic")
HYBRID: tuple[Layer, ...] = ("dynamic", "attention")
"""Layers of the models that are compared."""
VALID_SEQUENCES, TEST_SEQUENCES = 500, 1000


@dataclass(frozen=True, kw_only=True)
class TrainRecall(Trial):
    """Train a decoder on multi-query associative recall and measure how many values it recalls (Arora et al. 2024).

    A sequence has ``pairs`` keys with their values, ``gap`` fillers, and ``queries`` keys whose values are asked for. Every batch is drawn
    anew. The kernel sizes of the convolutions are those of the translation models.
    """

    nondeterministic_columns: ClassVar[frozenset[str]] = frozenset({"train_seconds"})
    rows_only: ClassVar[tuple[str, ...]] = ("candidates",)

    layers: Annotated[tuple[Layer, ...], Items()]
    """Layer that mixes positions in each block, from the first."""
    pairs: Count = 8
    """Number of pairs of a key and a value."""
    gap: Annotated[int, Range(at_least=0)] = 33
    """Number of fillers between the pairs and the queries."""
    queries: Count = 15
    """Number of queries."""
    symbols: Count = 16
    """Number of keys, of values and of fillers."""
    embed_dim: Count = 64
    """Embedding dimension of the model."""
    ffn_dim: Count = 128
    """Hidden dimension of the feed-forward layers."""
    heads: Count = 1
    """Number of attention heads. Must divide ``embed_dim``."""
    kernel_heads: Count = 4
    """Number of kernels of a convolution. Must divide ``embed_dim``."""
    updates: Count
    """Number of training steps."""
    batch_size: BatchSize = 64
    learning_rate: LearningRate = 2e-3
    warmup: Count = 50
    """Number of warm-up steps of the learning rate."""
    weight_decay: WeightDecay = 0.01
    candidates: tuple[TrainRecall, ...] = ()
    """Training runs with other learning rates. That of the smallest validation loss is used; without candidates, ``learning_rate`` is."""
    seed: Seed = 0

    def __post_init__(self) -> None:
        """Raise UsageError if ``heads`` or ``kernel_heads`` does not divide ``embed_dim``, or if there are more pairs than keys."""
        super().__post_init__()
        check_divides(self, "heads", "embed_dim")
        check_divides(self, "kernel_heads", "embed_dim")
        if self.pairs > self.symbols:
            from myths.lab.errors import UsageError

            raise UsageError(f"Invalid pairs={self.pairs}: expected at most symbols={self.symbols}, because the keys are distinct")

    @property
    def protocol(self) -> Protocol:
        """Reduced: the task of the paper with fewer symbols and training sequences."""
        return "reduced"

    @property
    def columns(self) -> dict[str, Any]:
        """The settings, with the layers as text."""
        return {**super().columns, "layers": ", ".join(self.layers)}

    @property
    def reach(self) -> int:
        """Number of earlier positions that the output of the last convolution depends on."""
        return sum(size - 1 for size in increasing_kernel_sizes(len(self.layers)))

    @property
    def relative_cost(self) -> float:
        """Number of training tokens times number of weights."""
        tokens = self.batch_size * (2 * self.pairs + self.gap + self.queries)
        return self.updates * tokens * len(self.layers) * self.embed_dim * (4 * self.embed_dim + 2 * self.ffn_dim) / 1e12

    @classmethod
    def test_instance(cls) -> TrainRecall:
        """Return a trial with a few updates of a small model."""
        small: dict[str, Any] = {"pairs": 2, "gap": 2, "queries": 4, "symbols": 4, "embed_dim": 16, "ffn_dim": 16, "batch_size": 8}
        return cls(layers=("dynamic", "attention"), updates=5, **small)

    def run(self, context: Context) -> Outcome:
        """Return one row: percentage of recalled values, validation loss, number of parameters and the learning rate."""
        import torch

        from myths.lab.language.training import TrainConfig, fit, move_batches
        from myths.lab.language.transformer import parameters
        from myths.lightweight_conv.recall import RecallTask
        from myths.lightweight_conv.trials.learning_rates import selected_learning_rate

        task = RecallTask(symbols=self.symbols, pairs=self.pairs, gap=self.gap, queries=self.queries)
        model = self.initial_network(context, task)
        config = TrainConfig(
            updates=self.updates,
            learning_rate=selected_learning_rate(self, context),
            warmup=self.warmup,
            schedule="linear",
            label_smoothing=0.0,
            weight_decay=self.weight_decay,
            clip=1.0,
        )
        batches = move_batches(task.batches(self.batch_size, context.generator("order")), context.device)
        done = fit(model, partial(_predict, model), batches, config, device=context.device)
        row: dict[str, Any] = {
            "layers": ", ".join(self.layers),
            "reach": self.reach,
            "length": task.length,
            "parameters": parameters(model),
            "learning_rate": config.learning_rate,
            "train_seconds": done.seconds,
            "train_loss": done.loss,
            "diverged_at": done.diverged_at,
        }
        if done.diverged_at is None:
            with torch.inference_mode():
                model.eval()
                loss, valid = _score(model, *task.draw(VALID_SEQUENCES, context.generator("validation")), context.device)
                _, test = _score(model, *task.draw(TEST_SEQUENCES, context.generator("test")), context.device)
            row |= {"valid_loss_nats": loss, "valid_accuracy_percent": valid}
            row |= {"accuracy_percent": test, "n_test": TEST_SEQUENCES * self.queries}
        return Outcome(rows=[row])

    def initial_network(self, context: Context, task: RecallTask) -> LanguageModel:
        """Return the initialized model."""
        from myths.lab.language.transformer import LanguageModel, TransformerConfig
        from myths.lightweight_conv.layers import LayerConfig, build

        config = TransformerConfig(
            vocabulary=task.vocabulary,
            embed_dim=self.embed_dim,
            ffn_dim=self.ffn_dim,
            heads=self.heads,
            encoder_layers=0,
            decoder_layers=len(self.layers),
            max_length=task.length,
            dropout=0.0,
        )
        kernel_sizes = increasing_kernel_sizes(len(self.layers))

        def mixer(layer: int, *, causal: bool) -> Any:
            name = self.layers[layer]
            heads = self.heads if name.startswith("attention") else self.kernel_heads
            return build(name, LayerConfig(channels=self.embed_dim, heads=heads, kernel_size=kernel_sizes[layer], causal=causal))

        with context.seed_torch("init"):
            return LanguageModel(config, mixer)


def _predict(model: LanguageModel, tokens: torch.Tensor, values: torch.Tensor) -> Prediction:
    """Return the logits at the queries only: the other positions have no target."""
    from myths.lab.language.training import Prediction

    return Prediction(model(tokens)[:, -values.shape[1] :], values)


def _score(model: LanguageModel, tokens: torch.Tensor, values: torch.Tensor, device: str) -> tuple[float, float]:
    """Return the mean loss in nats and the percentage of queries with the highest logit at the value."""
    import torch.nn.functional as F

    prediction = _predict(model, tokens.to(device), values.to(device))
    logits, targets = prediction.logits.flatten(0, 1).float(), prediction.targets.flatten()
    return float(F.cross_entropy(logits, targets)), 100 * float((logits.argmax(-1) == targets).double().mean())
