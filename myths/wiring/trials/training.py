"""The prediction: relational-graph MLPs of equal density and width, trained by this suite."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Literal

from myths.lab.setting import BatchSize, Count, Epochs, LearningRate, Range, Seed, TrainExamples
from myths.lab.trial import Context, Outcome, Protocol, Trial

if TYPE_CHECKING:
    from torch import Tensor

    from myths.wiring.graphs import Wiring
    from myths.wiring.relational_mlp import RelationalMLP

Arm = Literal["ring-like", "small-world", "random", "complete"]
DEGREE = 8.5
"""Mean degree at which the authors' ring-like and small-world wirings of 64 nodes differ by 0.46 points: density 0.1328."""
SMALL_WORLD = (0.05, 0.1, 0.2, 0.4)
"""Rewiring probabilities of the small-world arm, in turn."""
MOMENTUM, WEIGHT_DECAY = 0.9, 5e-4
PAPER_EPOCHS = 200


@dataclass(frozen=True, kw_only=True)
class TrainWirings(Trial):
    """Train relational-graph MLPs (You et al. 2020) of one arm: every network has its own graph and initial weights.

    All arms but "complete" have the same nodes, edges, width and number of parameters; the complete graph has the width at which it has
    about as many parameters. Networks of all arms with the same seed see the images in the same order.
    """

    dataset: Literal["digits", "cifar10"]
    """Dataset."""
    arm: Arm
    """How the graphs are drawn."""
    graphs: Count = 1
    """Number of networks that are trained together."""
    nodes: Annotated[int, Range(at_least=8, at_most=64)] = 64
    """Number of nodes of the graphs."""
    degree: Annotated[float, Range(at_least=2, at_most=63)] = DEGREE
    """Mean degree of the graphs that are not complete."""
    stem: Annotated[int, Range(at_least=8, at_most=4096)] = 512
    """Units of the stem, and of the wired layers of a complete graph; a multiple of ``nodes``."""
    epochs: Epochs
    train_examples: TrainExamples = 0
    """Number of training examples, the first of a seeded shuffle; 0 means all."""
    batch_size: BatchSize = 128
    learning_rate: LearningRate = 0.1
    seed: Seed

    def __post_init__(self) -> None:
        """Check that the nodes divide the stem and that a graph of this degree exists."""
        from myths.lab.errors import UsageError
        from myths.lab.setting import check_divides

        super().__post_init__()
        check_divides(self, "nodes", "stem")
        if self.degree > self.nodes - 1:
            raise UsageError(f"Invalid degree={self.degree:g}: expected at most {self.nodes - 1} for nodes={self.nodes}")

    @property
    def protocol(self) -> Protocol:
        """Return "paper" for the authors' dataset, sizes and epochs."""
        if self.dataset != "cifar10":
            return "stand-in"
        paper = (self.nodes, self.degree, self.stem, self.train_examples, self.batch_size, self.learning_rate) == (
            64,
            DEGREE,
            512,
            0,
            128,
            0.1,
        )
        return "paper" if paper and self.epochs >= PAPER_EPOCHS else "reduced"

    @property
    def relative_cost(self) -> float:
        """Return the number of updates times the cost of one: billions of products of weights and examples, and a fixed overhead.

        A complete graph costs about the same as a sparse one.
        """
        examples, inputs = {"digits": (1197, 64)}.get(self.dataset, (50_000, 3072))
        updates = self.epochs * (self.train_examples or examples) / self.batch_size
        weights = self.stem * (inputs + 4 * self.stem)
        return updates * (self.graphs * self.batch_size * weights / 1e9 + 0.03)

    @property
    def data(self) -> tuple[str, ...]:
        """Return the dataset."""
        return (self.dataset,)

    @classmethod
    def test_instance(cls) -> TrainWirings:
        """Return two small networks on digits."""
        return cls(dataset="digits", arm="small-world", graphs=2, nodes=8, degree=3, stem=32, epochs=1, train_examples=256, seed=0)

    def run(self, context: Context) -> Outcome:
        """Return one row per network: graph, rewire_probability, edges, clustering, path_length, width, parameters, test_error_percent."""
        import torch

        from myths.lab.data.images import image_set
        from myths.wiring import graphs, relational_mlp

        images = image_set(self.dataset, context.device)
        x, y = images.training_split()
        if self.train_examples:
            kept = torch.from_numpy(context.rng("subset").permutation(len(x))[: self.train_examples]).to(x.device)
            x, y = x[kept], y[kept]
        drawn = [self.wiring(i) for i in range(self.graphs)]
        inputs, classes, edges = x[0].numel(), len(images.classes), len(drawn[0][1].edges)
        width = self.stem if self.arm == "complete" else relational_mlp.equal_width(self.nodes, edges, self.stem, classes)
        generator = context.generator("init")
        wirings = [graphs.Wiring(1, frozenset()) if self.arm == "complete" else wiring for _, wiring in drawn]  # one node: a dense layer
        network = relational_mlp.RelationalMLP(wirings, inputs, (self.stem, width), classes, generator)
        wrong = self._train(context, network.to(context.device), (x, y), (images.x_test, images.y_test))
        parameters = inputs * self.stem + 2 * self.stem + relational_mlp.wired_parameters(self.nodes, edges, self.stem, width, classes)
        rows = []
        for i, ((rewire, wiring), error) in enumerate(zip(drawn, wrong, strict=True)):
            numbers = graphs.invariants(wiring)
            row = {"graph": i, "rewire_probability": rewire, "edges": edges, "clustering": numbers.clustering, "width": width}
            row |= {"path_length": numbers.path_length, "spectral_gap": numbers.spectral_gap, "parameters": parameters}
            rows.append(row | {"n_test": len(images.y_test), "test_error_percent": error})
        return Outcome(rows=rows)

    def wiring(self, graph: int) -> tuple[float, Wiring]:
        """Return the rewiring probability and the wiring of one network."""
        from myths.wiring import graphs

        if self.arm == "complete":
            return 0.0, graphs.complete(self.nodes)
        number = self.seed * self.graphs + graph
        rewire = {"ring-like": 0.0, "small-world": SMALL_WORLD[number % len(SMALL_WORLD)], "random": 1.0}[self.arm]
        return rewire, graphs.watts_strogatz(self.nodes, self.degree, rewire, number)

    def _train(self, context: Context, network: RelationalMLP, train: tuple[Tensor, Tensor], test: tuple[Tensor, Tensor]) -> list[float]:
        """Train the networks and return the test error of each in percent."""
        import torch

        from myths.lab.step_recorder import StepRecorder, set_learning_rate
        from myths.lab.vision.augmentation import augment

        (x, y), device = train, context.device
        pixels = x.float().div(255)
        mean, std = pixels.mean((0, 2, 3)), pixels.std((0, 2, 3))
        order, noise = context.generator("order"), context.generator("augment", device)
        recorder = StepRecorder(device, generators=(noise,))
        # The update of all tensors in one kernel accepts a learning rate that is a tensor; on a CPU the other one is faster.
        how = {"fused": True} if recorder.enabled else {"foreach": True}
        optimizer = torch.optim.SGD(
            network.parameters(), lr=self.learning_rate, momentum=MOMENTUM, weight_decay=WEIGHT_DECAY, nesterov=True, **how
        )
        recorder.adapt(optimizer)
        steps_per_epoch = max(1, len(x) // self.batch_size)
        steps = max(1, round(self.epochs * steps_per_epoch))
        kind: Literal["none", "crop-flip"] = "crop-flip" if self.dataset == "cifar10" else "none"

        def normalized(batch: Tensor) -> Tensor:
            return ((batch - mean[:, None, None]) / std[:, None, None]).flatten(1)

        def take() -> None:
            logits = network(normalized(augment(x[chosen], kind, "zero", mean, noise)))
            labels = y[chosen].expand(len(logits), -1)
            loss = torch.nn.functional.cross_entropy(logits.flatten(0, 1), labels.flatten(), reduction="sum") / labels.shape[1]
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            optimizer.step()

        with recorder.stream():
            for step in range(steps):
                if step % steps_per_epoch == 0:
                    shuffled = torch.randperm(len(x), generator=order).to(device)
                (chosen,) = recorder.fixed((shuffled[(step % steps_per_epoch) * self.batch_size :][: self.batch_size],))
                set_learning_rate(optimizer, 0.5 * (1 + math.cos(math.pi * step / steps)))
                recorder.run(take, len(chosen))
        network.eval()
        network.record_moments([normalized(batch) for batch in pixels[:10_000].split(500)])
        with torch.no_grad():
            wrong = [
                (network(normalized(batch.float().div(255))).argmax(-1) != labels).sum(1)
                for batch, labels in zip(test[0].split(500), test[1].split(500), strict=True)
            ]
        return (100 * torch.stack(wrong).sum(0).double() / len(test[1])).tolist()
