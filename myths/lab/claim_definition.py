"""The definition of a claim: what a run was asked when its trials ran, and whether the claim still asks the same."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from functools import partial
from typing import Any

from myths.lab.claim import Claim
from myths.lab.criterion import Criterion


def definition(claim: Claim) -> str:
    """Return the version of a claim with a digest of its definition, such as "1-5f0c2a9b1e". Every run records it.

    A report computes all numbers from stored trials with the claims of the suite that makes it, so that the runs on a page never mix two
    measures. What only the run can tell is what its claim asked when its trials ran. A criterion or a meaning of today was not committed
    before a run of yesterday: its result is shown, and neither combined with nor counted among those of other runs.

    The digest covers what a claim declares as data: criterion, rows (table, filters, class of trial), measure with its arguments, and
    repetition unit. Nobody has to remember it. Statement, source and wording of the unit are no part of it. Neither is code, because no
    digest tells a new meaning from a renamed variable: an author who changes the meaning inside a function raises ``Claim.version``.
    A renamed measure or table changes the digest. That errs on the safe side: too few runs are combined, not too many.

    Args:
        claim: The claim.
    """
    return f"{claim.version}-{hashlib.sha256(definition_text(claim).encode()).hexdigest()[:10]}"


def definition_text(claim: Claim) -> str:
    """Return what the digest of a claim is computed from, as JSON."""
    declared = {
        "criterion": str(claim.criterion), "beyond": claim.criterion.beyond, "table": claim.table, "where": claim.where,
        "trial": claim.trial, "measure": claim.measure, "repetition_unit": claim.repetition_unit,
    }  # fmt: skip
    return json.dumps(_plain(declared), sort_keys=True)


def change_since(invocation: Mapping[str, Any], claim: Claim) -> str:
    """Return how the definition of a claim differs from that which an invocation recorded; empty if it does not.

    Invocations of commits that recorded no definitions are compared by the bounds of the criterion alone.

    Args:
        invocation: An entry of ``run.json``.
        claim: The claim.
    """
    if is_older(invocation, claim):
        then = invocation["criteria"].get(claim.id)
        return "the run is older than the claim" if then is None else f"its criterion was {then}, now it is {claim.criterion_text}"
    recorded, now = invocation.get("definitions", {}).get(claim.id), definition(claim)
    return f"its measure or its rows are others (definition {now} instead of {recorded})" if recorded not in (None, now) else ""


def is_older(invocation: Mapping[str, Any], claim: Claim) -> bool:
    """Return whether an invocation is older than the criterion of a claim: it recorded none, or other bounds.

    Args:
        invocation: An entry of ``run.json``.
        claim: The claim.
    """
    then = invocation["criteria"].get(claim.id)
    return then is None or Criterion.parse(then) != Criterion.parse(str(claim.criterion))


def _plain(value: Any) -> Any:
    if isinstance(value, partial):
        return {"function": _plain(value.func), "arguments": _plain(value.args), "named": _plain(value.keywords)}
    if isinstance(value, Mapping):
        return {str(key): _plain(each) for key, each in value.items()}
    if isinstance(value, tuple | list):
        return [_plain(each) for each in value]
    if isinstance(value, set | frozenset):
        return sorted(map(repr, value))
    if value is None or isinstance(value, bool | int | float | str):
        return value
    name = getattr(value, "__qualname__", None)  # a function or a class
    return repr(value) if name is None else name
