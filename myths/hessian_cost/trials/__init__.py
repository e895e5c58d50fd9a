"""Trials of myth 1: derivatives of fixed problems, a Newton step, and the Hessian of a user's formula."""

from myths.hessian_cost.trials.derivatives import TimeGradient, TimeHessian
from myths.hessian_cost.trials.newton_step import TimeNewtonStep
from myths.hessian_cost.trials.user_formula import TimeFormula

__all__ = ["TimeFormula", "TimeGradient", "TimeHessian", "TimeNewtonStep"]
