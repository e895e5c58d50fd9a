"""Failed and skipped trials as text, grouped by cause."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence

from myths.lab.trial import Trial

_DEATH = re.compile(r"the worker process was ended by (SIG\w+)")
_TYPE = re.compile(r"[A-Za-z_][\w.]*(?:Error|Exception|Interrupt|Exit|Warning|Iteration)(?=:|$)")
_LONGEST = 160


def causes(errors: Iterable[str]) -> str:
    """Return the distinct causes of errors with their counts, the most frequent first.

    A cause is the signal that ended a worker process, the class of an exception, or the whole message of any other error.

    Args:
        errors: Stored errors.

    Example:
        >>> causes(["the worker process was ended by SIGABRT", "ValueError: a", "ValueError: b"])
        'ValueError (2), worker process ended by SIGABRT (1)'
    """
    counted: Counter[str] = Counter()
    signals: Counter[str] = Counter()
    for error in errors:
        if death := _DEATH.match(error):
            signals[death[1]] += 1
            counted["worker process ended by"] += 1
        else:
            counted[found[0] if (found := _TYPE.match(error)) else _short(error or "no message")] += 1
    said = []
    for cause, times in counted.most_common():
        if cause == "worker process ended by" and signals:
            said.append(f"{cause} {' or '.join(f'{name} ({n})' for name, n in signals.most_common())}")
        else:
            said.append(f"{cause} ({times})")
    return ", ".join(said)


def summary(failed: Sequence[tuple[Trial, str]], total: int, skipped_dependents: int = 0) -> str:
    """Return one sentence about all failed trials of a myth.

    Args:
        failed: Failed trials with their errors; at least one.
        total: Number of trials that were to run, including the failed ones.
        skipped_dependents: Number of trials that did not run because they depend on a failed trial.

    Example:
        >>> from myths.lab.failures import summary
        >>> summary([(trial, "ValueError: no") for trial in trials], total=7)                # doctest: +SKIP
        '3 of 7 trials failed: ValueError (3); first: Toss(coin=ducat): ValueError: no'
    """
    trial, error = failed[0]
    waiting = f"; {skipped_dependents} dependent trials did not run" if skipped_dependents else ""
    return (
        f"{len(failed)} of {total} trials failed: {causes(e for _, e in failed)}{waiting}; "
        f"first: {_short(str(trial))}: {_short(error, 400)}"
    )


def reasons(skipped: Iterable[tuple[Trial, str]]) -> list[tuple[str, int]]:
    """Return each distinct reason of skipped trials with the number of trials, the most frequent first."""
    return Counter(reason for _, reason in skipped).most_common()


def _short(text: str, longest: int = _LONGEST) -> str:
    return text if len(text) <= longest else text[: longest - 1] + "…"
