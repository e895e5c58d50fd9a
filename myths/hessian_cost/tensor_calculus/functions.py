"""The element-wise functions: value, derivative, domain and notation."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Function:
    """An element-wise function. ``value(x, p)`` is its value at a number, ``latex`` its LaTeX name, ``domain`` the test of its argument."""

    value: Callable[[float, float], float]
    latex: str
    domain: str = ""

    def fold(self, x: float, parameter: float) -> float | None:
        """Return the value at a constant, or None if it is not a finite real number."""
        try:
            found = self.value(x, parameter)
        except (ValueError, OverflowError, ZeroDivisionError):
            return None
        return float(found) if isinstance(found, int | float) and math.isfinite(found) else None


def _sigmoid(x: float) -> float:
    return 1 / (1 + math.exp(-x)) if x >= 0 else math.exp(x) / (1 + math.exp(x))


def _polygamma(x: float, order: float) -> float:
    from scipy.special import polygamma

    return float(polygamma(int(order), x))


FUNCTIONS: dict[str, Function] = {
    "exp": Function(lambda x, _: math.exp(x), r"\exp"),
    "log": Function(lambda x, _: math.log(x), r"\log", "> 0"),
    "sigmoid": Function(lambda x, _: _sigmoid(x), r"\sigma"),
    "softplus": Function(lambda x, _: max(x, 0.0) + math.log1p(math.exp(-abs(x))), r"\operatorname{softplus}"),
    "tanh": Function(lambda x, _: math.tanh(x), r"\tanh"),
    "sin": Function(lambda x, _: math.sin(x), r"\sin"),
    "cos": Function(lambda x, _: math.cos(x), r"\cos"),
    "sinh": Function(lambda x, _: math.sinh(x), r"\sinh"),
    "cosh": Function(lambda x, _: math.cosh(x), r"\cosh"),
    "arctan": Function(lambda x, _: math.atan(x), r"\arctan"),
    "erf": Function(lambda x, _: math.erf(x), r"\operatorname{erf}"),
    "log1p": Function(lambda x, _: math.log1p(x), r"\operatorname{log1p}", "> -1"),
    "expm1": Function(lambda x, _: math.expm1(x), r"\operatorname{expm1}"),
    "abs": Function(lambda x, _: abs(x), r"\operatorname{abs}"),
    "sign": Function(lambda x, _: float((x > 0) - (x < 0)), r"\operatorname{sign}"),
    "heaviside": Function(lambda x, _: 0.5 * (1 + (x > 0) - (x < 0)), r"\operatorname{heaviside}"),
    "relu": Function(lambda x, _: max(x, 0.0), r"\operatorname{relu}"),
    "step": Function(lambda x, _: float(x > 0), r"\operatorname{step}"),
    "lgamma": Function(lambda x, _: math.lgamma(x), r"\log\Gamma", "> 0"),
    "polygamma": Function(lambda x, p: _polygamma(x, p), "", "> 0"),
    "power": Function(lambda x, p: x**p, ""),
}
