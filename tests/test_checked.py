"""The checks of the tests find a wrong type and a wrong shape, in functions, methods and dataclasses, wherever a type is written."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest
import torch
from jaxtyping import Float
from torch import Tensor

from myths.lab.measurement.timing import Stopwatch
from myths.lab.trial import Context
from myths.saliency.metrics import intersection
from tests.checked import check

if TYPE_CHECKING:
    from nowhere import Unknown

Rows = Float[Tensor, "n d"]


@check
def scaled(x: float, by: float = 2.0) -> float:
    return "much" if x > 100 else x * by


@check
def counted(n: int) -> Iterator[int]:
    yield from range(n)


@check
def of_what_only_type_checkers_know(x: Unknown, n: int) -> Unknown:
    return x


@check
def product(a: Rows, b: Float[Tensor, "d"]) -> Float[Tensor, "n"]:  # noqa: F821 (a name of a dimension)
    return a.sum() if len(a) == 1 else a @ b


class Scale:
    @check
    def of(self, x: float) -> Scale:
        return self


@check
@dataclass
class Point:
    x: float
    label: str = ""


@check
@dataclass
class Named(Point):
    label: str = "a"


def test_a_wrong_type_is_refused_and_a_right_one_changes_nothing():
    assert scaled(2) == 4
    assert list(counted(3)) == [0, 1, 2]
    assert of_what_only_type_checkers_know("anything", 1) == "anything"
    assert Named(1).x == 1
    assert isinstance(Scale().of(1), Scale)
    for wrong in (
        lambda: scaled("2"), lambda: scaled(101), lambda: scaled(1.0, by=None), lambda: list(counted(1.5)), lambda: Scale().of("2"),
        lambda: of_what_only_type_checkers_know("anything", "1"), lambda: Point("1"), lambda: Named(1.0, label=3),
    ):  # fmt: skip
        with pytest.raises(TypeError):
            wrong()


def test_dimensions_of_one_name_are_equal_in_a_call():
    assert product(torch.ones(3, 2), torch.ones(2)).tolist() == [2, 2, 2]
    for wrong in ((torch.ones(3, 2), torch.ones(3)), (torch.ones(3), torch.ones(3)), (torch.ones(3, 2).int(), torch.ones(2))):
        with pytest.raises(TypeError):
            product(*wrong)
    with pytest.raises(TypeError):  # a wrong shape of what is returned
        product(torch.ones(1, 2), torch.ones(2))


def test_what_is_written_stays_readable():
    assert inspect.signature(scaled).parameters["by"].default == 2.0
    assert scaled.__annotations__ == {"x": "float", "by": "float", "return": "float"}
    assert scaled.__name__ == "scaled"


def test_the_suite_is_checked():
    with pytest.raises(TypeError):
        Context(trial="no trial")
    with pytest.raises(TypeError):
        Stopwatch(device=1)
    with pytest.raises(TypeError):
        intersection(torch.ones(2, 4, 4), torch.ones(2, 4, 5), 3)
    assert not intersection(torch.rand(2, 4, 4), torch.rand(2, 4, 4), 3).isnan().any()
