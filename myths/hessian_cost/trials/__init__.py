"""Trials of myth 1: derivatives of fixed problems, comparisons of two methods, a Newton step, a user's formula, and the machine's speed."""

from myths.hessian_cost.trials.comparisons import CompareHessians
from myths.hessian_cost.trials.derivatives import TimeGradient, TimeHessian
from myths.hessian_cost.trials.machine import MeasureMachine
from myths.hessian_cost.trials.newton_step import TimeNewtonStep
from myths.hessian_cost.trials.user_formula import TimeFormula

__all__ = ["CompareHessians", "MeasureMachine", "TimeFormula", "TimeGradient", "TimeHessian", "TimeNewtonStep"]
