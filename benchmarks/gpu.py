"""Measure on a GPU what only a GPU can tell: speeds, floors and goals, each beside its peer in the same run.

    python benchmarks/gpu.py                        # the default stages, at most four minutes
    python benchmarks/gpu.py --list                 # stages, expected seconds, and what each answers
    python benchmarks/gpu.py --stage convolution    # only this stage; may be given several times
    python benchmarks/gpu.py --tiny                 # rehearse every stage with tiny settings, also on a CPU
    python benchmarks/gpu.py --goals                # the table of docs/performance.md, with the numbers of benchmarks/measured

A stage runs in a process of its own, prints its table, and writes ``FOLDER/STAGE.json`` after every row. If it fails, runs out of memory or
time, the next one starts. Copy the files to ``benchmarks/measured/MACHINE`` to show them in docs/performance.md.
"""

from __future__ import annotations

import argparse
import multiprocessing
import sys
from pathlib import Path

import gpu_stages
from gpu_stages.goals import table_of_goals
from gpu_stages.runner import Request, run_stages
from gpu_stages.stage import STAGES

OUT = Path(__file__).resolve().parents[1] / ".benchmarks" / "gpu"
BUDGET = 240.0


def main() -> int:
    """Run the requested stages. Return 1 if one failed, and 2 if nothing can be measured."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--stage", action="append", default=[], metavar="NAME", help="Run only this stage. May be repeated.")
    parser.add_argument("--list", action="store_true", help="List the stages.")
    parser.add_argument("--goals", action="store_true", help="Print the table of goals as Markdown.")
    parser.add_argument("--tiny", action="store_true", help="Run all stages with tiny settings. The numbers mean nothing.")
    parser.add_argument("--device", default="auto", help="Device as torch names it. Default: a GPU.")
    parser.add_argument("--out", type=Path, default=OUT, metavar="FOLDER", help="Folder of the results. Default: .benchmarks/gpu")
    parser.add_argument("--budget", type=float, metavar="SECONDS", help=f"Time for all stages. Default: {BUDGET:g}.")
    options = parser.parse_args()
    if unknown := [name for name in options.stage if name not in STAGES]:
        parser.error(f"unknown stage {', '.join(unknown)}; available: {', '.join(STAGES)}")
    if options.budget is not None and not options.budget > 0:
        parser.error(f"--budget {options.budget:g}: expected seconds above 0")
    if options.list:
        print(gpu_stages.listing())
        return 0
    if options.goals:
        print(table_of_goals())
        return 0
    stages = [STAGES[name] for name in options.stage] or [s for s in STAGES.values() if s.default or options.tiny]
    # Named stages take what they need: the budget is for the default ones.
    budget = options.budget or (float("inf") if options.stage else BUDGET)
    try:
        options.out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        parser.error(f"--out {options.out}: {error.strerror}")
    return run_stages(stages, Request(options.device, options.tiny, options.out), budget)


if __name__ == "__main__":
    multiprocessing.freeze_support()
    sys.exit(main())
