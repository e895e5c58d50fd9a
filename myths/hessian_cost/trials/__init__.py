"""Trials of myth 1: derivatives of fixed problems, a Newton step, the Hessian of a user's formula, and the speed of the machine."""

from myths.hessian_cost.trials.derivatives import TimeGradient, TimeHessian
from myths.hessian_cost.trials.machine import MeasureMachine
from myths.hessian_cost.trials.newton_step import TimeNewtonStep
from myths.hessian_cost.trials.user_formula import TimeFormula

__all__ = ["MeasureMachine", "TimeFormula", "TimeGradient", "TimeHessian", "TimeNewtonStep"]
