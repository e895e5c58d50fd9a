"""Stages of ``benchmarks/gpu.py``. A module registers its stages when it is imported; the order of imports is the order of stages."""

from tabulate import tabulate

from gpu_stages.stage import STAGES

# isort: off
from gpu_stages import device, convolution, trainings, hog, hessian, saliency, forgetting
# isort: on


def listing() -> str:
    """Return the stages as text."""
    rows = [(s.name, s.seconds, "yes" if s.default else "", s.answers) for s in STAGES.values()]
    return tabulate(rows, ["stage", "seconds", "default", "answers"])


__all__ = ["STAGES", "convolution", "device", "forgetting", "hessian", "hog", "listing", "saliency", "trainings"]
