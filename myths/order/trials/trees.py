"""Trials on items of a tree: the singular values of its levels, and the order in which networks learn them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Literal

import numpy as np

from myths.lab.setting import Range, Seed
from myths.lab.trial import Context, Outcome, Protocol, Trial

if TYPE_CHECKING:
    from torch import Tensor

    from myths.order.deep_linear import Course

COURSE_POINTS = 50
"""Number of points of a stored learning curve."""

Depth = Annotated[int, Range(at_least=1, at_most=8)]
Flip = Annotated[float, Range(above=0, below=0.5)]


@dataclass(frozen=True, kw_only=True)
class _OnTree(Trial):
    """Base class of trials on branching diffusion."""

    depth: Depth = 4
    """Number of edges from the root to an item; there are 2**depth items."""
    properties: Annotated[int, Range(at_least=1)] = 200
    """Number of properties."""
    flip: Flip = 0.1
    """Probability that a property flips along an edge."""
    draws: Annotated[int, Range(at_least=2)] = 40
    """Number of independent tables of properties."""
    seed: Seed = 0

    @property
    def columns(self) -> Mapping[str, Any]:
        """Return the columns of tables that the settings determine."""
        return {**super().columns, "dataset": self.dataset}

    @property
    def dataset(self) -> str:
        """The name of the data in tables."""
        return f"tree of {2**self.depth} items"

    def tables(self, context: Context) -> np.ndarray:
        """Return the drawn tables, [draws, items, properties], in units in which a singular value is independent of the properties."""
        from myths.order.hierarchy import branching_diffusion

        rng = context.rng("properties")
        drawn = [branching_diffusion(self.depth, self.properties, self.flip, rng) for _ in range(self.draws)]
        return np.array(drawn) / np.sqrt(self.properties)


@dataclass(frozen=True, kw_only=True)
class DrawTrees(_OnTree):
    """Draw tables of properties and compare the singular value of each level of the tree with its formula."""

    @property
    def protocol(self) -> Protocol:
        """Return "paper": the paper's generative model."""
        return "paper"

    @classmethod
    def test_instance(cls) -> DrawTrees:
        """Return 20 small trees."""
        return cls(depth=2, properties=50, draws=20)

    def run(self, context: Context) -> Outcome:
        """Return one row per level: singular value, its formula, and the deviation in percent with an interval over draws."""
        from myths.order.hierarchy import contrasts, level_deviations

        rows_of, levels = contrasts(self.depth)
        squares = ((rows_of @ self.tables(context)) ** 2).sum(2)
        return Outcome(rows=[{"dataset": self.dataset, **row} for row in level_deviations(squares, levels, self.flip)])


@dataclass(frozen=True, kw_only=True)
class LearnTree(_OnTree):
    """Train networks that name the properties of an item, and measure when each level of the tree is learned.

    Each item has an input unit. A level is learned when the outputs have moved half of the way along its contrasts, on average.
    """

    network: Literal["linear", "relu", "shallow"] = "linear"
    """Two layers, two layers with rectified hidden units, or one layer."""
    hidden: Annotated[int, Range(at_least=1)] = 32
    """Hidden units."""
    scale: Annotated[float, Range(above=0, at_most=10)] = 1e-3
    """Standard deviation of the initial weights times the square root of the inputs of their layer."""
    leaf_repeats: Annotated[int, Range(at_least=0)] = 0
    """How often the distinctions between siblings are repeated as further properties."""
    step: Annotated[float, Range(above=0, at_most=0.1)] = 0.04
    """Time step in units of τ."""
    duration: Annotated[float, Range(above=0, at_most=1000)] = 40.0
    """Longest time in units of τ."""

    @property
    def protocol(self) -> Protocol:
        """Return "paper" under the assumptions of the paper's theory (linear, small start), else "reduced"."""
        return "reduced" if self.network == "relu" or self.scale > 0.1 else "paper"

    @property
    def relative_cost(self) -> float:
        """Return the number of multiplications of a training run, relative to others."""
        layers = 1 if self.network == "shallow" else self.hidden
        return self.draws * 2**self.depth * self.properties * (1 + bool(self.leaf_repeats)) * layers * self.duration / self.step / 1e9

    @classmethod
    def test_instance(cls) -> LearnTree:
        """Return four small trees with coarse steps."""
        return cls(depth=2, properties=40, draws=4, hidden=8, step=0.05, duration=20.0)

    def run(self, context: Context) -> Outcome:
        """Return rows of ``kind`` "tree", "level", "course" and "illusion".

        "tree" (one per draw): whether the levels are learned from broad to fine, whether in the order of the singular values of the draw,
        whether siblings are separated before the broadest distinction, and how far the output of a property that contradicts its branch
        moves the wrong way first (percent of its final value). "level": mean singular value and half-way time. "course": progress of each
        level over time, averaged over draws. "illusion": output over time for the property of an item that contradicts its branch most in
        the first draw, relative to its final value.
        """
        from myths.order.deep_linear import half_times
        from myths.order.hierarchy import contrasts

        course, targets, outputs = self._learn(context)
        levels = contrasts(self.depth)[1]
        halves = half_times(course.times, course.strengths, targets)
        by_level, values = (np.array([x[:, levels == level].mean(1) for level in range(self.depth + 1)]) for x in (halves, targets))
        late = np.where(np.isnan(by_level), np.inf, by_level)
        rows: list[dict[str, Any]] = [
            {
                "kind": "tree",
                "draw": i,
                "broad_first": _rises(late[:, i]),
                "follows_singular_values": _rises(late[np.argsort(-values[:, i]), i]),
                "siblings_first": bool(late[-1, i] < late[0, i]),
                "wrong_way_percent": float(percent),
            }
            for i, percent in enumerate(outputs.wrong_way_percent())
        ]
        rows += [
            {"kind": "level", "level": level, "singular_value": float(values[level].mean()), "half_time": _mean(by_level[level])}
            for level in range(self.depth + 1)
        ]
        rows += _course_rows(course, targets, levels)
        rows += _illusion_rows(course.times[0], outputs.most_contradicting)
        return Outcome(rows=[{"dataset": self.dataset, **row} for row in rows])

    def _learn(self, context: Context) -> tuple[Course, np.ndarray, _Outputs]:
        """Return the course of the contrasts, their targets [draws, contrasts], and what the outputs did meanwhile."""
        import torch

        from myths.order.deep_linear import Integration, learn, random_start
        from myths.order.hierarchy import contrasts, repeat_leaf_distinctions

        tables = np.array([repeat_leaf_distinctions(table, self.leaf_repeats) for table in self.tables(context)])
        rows_of, levels = contrasts(self.depth)
        left = rows_of @ tables
        targets = np.linalg.norm(left, axis=2)
        broad = rows_of[levels <= 1]
        by_branch = broad.T @ (broad @ tables)
        outputs = _Outputs(*(_tensor(x.transpose(0, 2, 1), context.device) for x in (tables, by_branch)))
        sizes = [2**self.depth, *([] if self.network == "shallow" else [self.hidden]), tables.shape[2]]
        layers = [w.to(context.device, torch.float32) for w in random_start(self.scale, sizes, self.draws, context.generator("init"))]
        right = _tensor(rows_of, context.device).expand(self.draws, -1, -1)
        watched = (_tensor(left / targets[:, :, None], context.device), right)
        how = Integration(self.step, round(self.duration / self.step), rectified=self.network == "relu")
        course = learn(layers, _tensor(tables.transpose(0, 2, 1), context.device), watched, how, outputs)
        return course, targets, outputs


class _Outputs:
    """Follow outputs that contradict the item's branch: how far they move from their start in the wrong direction.

    An output contradicts its branch if the mean over the item's half of the tree has the other sign.

    Attributes:
        most_contradicting: Course of one output of the first draw relative to its final value: the one that contradicts its branch most.
    """

    def __init__(self, target: Tensor, by_branch: Tensor):
        self.unit = target.abs().amax((1, 2), keepdim=True)
        self.sign = target.sign()
        self.contradicting = by_branch * self.sign < 0
        self.largest = target.new_zeros(len(target))
        self.start: Tensor | None = None
        most = (by_branch * self.sign)[0].flatten().argmin()
        self.chosen, self.final = most, target[0].flatten()[most]
        self.recorded: list[Tensor] = []

    def __call__(self, product: Tensor) -> None:
        self.start = product if self.start is None else self.start
        against = ((self.start - product) * self.sign / self.unit).masked_fill(~self.contradicting, 0)
        self.largest = self.largest.maximum(against.amax((1, 2)))
        self.recorded.append(product[0].flatten()[self.chosen] / self.final)

    @property
    def most_contradicting(self) -> np.ndarray:
        import torch

        return torch.stack(self.recorded).cpu().numpy()

    def wrong_way_percent(self) -> np.ndarray:
        return 100 * self.largest.cpu().numpy()


def _illusion_rows(times: np.ndarray, output: np.ndarray) -> list[dict[str, Any]]:
    at = np.unique(np.linspace(0, len(times) - 1, COURSE_POINTS).round().astype(int))
    return [{"kind": "illusion", "time": float(times[i]), "output": float(output[i])} for i in at]


def _course_rows(course: Course, targets: np.ndarray, levels: np.ndarray) -> list[dict[str, Any]]:
    progress = course.strengths / targets[:, None]
    at = np.unique(np.linspace(0, course.times.shape[1] - 1, COURSE_POINTS).round().astype(int))
    return [
        {
            "kind": "course",
            "time": float(course.times[0, i]),
            "level": int(level),
            "progress": float(progress[:, i, levels == level].mean()),
        }
        for i in at
        for level in np.unique(levels)
    ]


def _rises(values: np.ndarray) -> bool:
    return bool((values[:-1] < values[1:]).all())


def _mean(values: np.ndarray) -> float | None:
    known = values[np.isfinite(values)]
    return float(known.mean()) if len(known) else None


def _tensor(array: np.ndarray, device: str) -> Tensor:
    import torch

    return torch.from_numpy(np.ascontiguousarray(array, dtype=np.float32)).to(device)
