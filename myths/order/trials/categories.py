"""Trials on a category in noise: whether the first mode of a table finds it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from myths.lab.errors import UsageError
from myths.lab.setting import Range, Seed
from myths.lab.trial import Context, Outcome, Protocol, Trial
from myths.order.coherence import Block

Count = Annotated[int, Range(at_least=1)]


@dataclass(frozen=True, kw_only=True)
class FindCategory(Trial):
    """Hide a category of given coherence in noise and measure the overlap of the first singular vectors with it.

    A network that learns the table finds the category where the singular vectors do (Saxe et al. 2019, on category coherence).
    """

    coherence: Annotated[float, Range(at_least=0)]
    """Coherence C of the category."""
    noise: Literal["gaussian", "bernoulli"] = "gaussian"
    """Distribution of the entries."""
    q: Annotated[float, Range(above=0, below=1)] = 0.5
    """Probability of a property outside the category (Bernoulli noise)."""
    objects: Count = 400
    """Number of objects."""
    properties: Count = 1600
    """Number of properties."""
    category_objects: Count = 50
    """Objects of the category."""
    category_properties: Count = 200
    """Properties of the category."""
    draws: Annotated[int, Range(at_least=2)] = 20
    """Number of tables."""
    seed: Seed = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        for part, whole in (("category_objects", "objects"), ("category_properties", "properties")):
            if getattr(self, part) > getattr(self, whole):
                raise UsageError(f"Invalid {part}={getattr(self, part)}: expected at most {whole}={getattr(self, whole)}")
        if self.noise == "bernoulli" and self.p > 1:
            raise UsageError(
                f"Invalid coherence={self.coherence:g}: a category of {self.category_objects} objects and {self.category_properties} "
                f"properties would need the probability {self.p:.3g}"
            )

    @property
    def block(self) -> Block:
        """Sizes of the table and of the category."""
        return Block(self.objects, self.properties, self.category_objects, self.category_properties)

    @property
    def signal(self) -> float:
        """Mean of the category's entries in units of the noise."""
        return float((self.coherence / self.block.size_factor) ** 0.5)

    @property
    def p(self) -> float:
        """Probability of a property inside the category (Bernoulli noise)."""
        return float(self.q + self.signal * (self.q * (1 - self.q)) ** 0.5)

    @property
    def protocol(self) -> Protocol:
        """Return "paper": the paper's model of a category."""
        return "paper"

    @property
    def columns(self) -> Mapping[str, Any]:
        """Return the columns of tables that the settings determine."""
        return {**super().columns, "dataset": self.dataset}

    @property
    def dataset(self) -> str:
        """The name of the data in tables."""
        return f"category of {self.category_objects} × {self.category_properties} in {self.noise} noise"

    @property
    def relative_cost(self) -> float:
        """Return the number of entries of all tables, in millions."""
        return self.draws * self.objects * self.properties / 1e6

    @classmethod
    def test_instance(cls) -> FindCategory:
        """Return three small tables."""
        return cls(coherence=2.0, objects=40, properties=80, category_objects=10, category_properties=20, draws=3)

    def run(self, context: Context) -> Outcome:
        """Return one row per table: squared overlaps with the category's objects and properties, and the first singular value.

        Each has its value in the limit of large tables beside it (``expected_…``).
        """
        from myths.order.coherence import draw, first_mode, overlap_curve, singular_value_curve

        rng = context.rng("noise")
        expected = overlap_curve(self.coherence, self.objects / self.properties)
        value = singular_value_curve(self.coherence, self.block)
        rows = []
        for i in range(self.draws):
            table = draw(self.block, self.signal, self.q, self.noise, 1, rng)
            ((of_objects, of_properties, singular_value),) = first_mode(table, self.block, context.device)
            rows.append({
                "dataset": self.dataset, "draw": i, "overlap_objects": of_objects, "expected_overlap_objects": expected[0],
                "overlap_properties": of_properties, "expected_overlap_properties": expected[1],
                "singular_value": singular_value, "expected_singular_value": value,
            })  # fmt: skip
        return Outcome(rows=rows)
