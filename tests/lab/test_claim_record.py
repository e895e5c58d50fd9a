"""The record of a judged claim is one thing in Python, in claims.csv and in claims.json."""

import csv
import dataclasses
import io
import json
import math
import typing

import jsonschema
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from myths.lab.claim import Claim, ClaimResult
from myths.lab.claim_record import COLUMNS, ClaimRecord
from myths.lab.criterion import above, between
from myths.lab.estimate import Estimate, SourceOfVariation
from myths.lab.report.json_schema import json_schema
from myths.lab.tables import as_csv
from myths.lab.verdict import Verdict
from tests.lab.report import coin

TEXT = st.text(st.characters(codec="utf-8", exclude_categories=["Cs", "Cc"]), max_size=20)
pytestmark = pytest.mark.filterwarnings("ignore:Do not use the `random` module")  # the type checker does, where it looks into containers
VALIDATOR = jsonschema.Draft202012Validator(json_schema(ClaimRecord))
NUMBER = st.integers(-(10**8), 10**8).map(lambda i: i / 4)  # ten digits, as the CSV has them


@st.composite
def records(draw):
    low, high = sorted((draw(NUMBER), draw(NUMBER)))
    claim = dataclasses.replace(
        coin.claim("C1", "ducat", draw(st.sampled_from([above(low), between(low, high)]))),
        **{name: draw(st.none() | NUMBER) for name in ("paper", "paper_low", "paper_high")},
        **{name: draw(TEXT) for name in ("statement", "source", "unit")},
    )
    over, n = draw(st.sampled_from(typing.get_args(SourceOfVariation))), draw(st.integers(0, 10**9))
    found = draw(
        st.none() | st.just(Estimate(low, draw(st.sampled_from([low, -math.inf])), draw(st.sampled_from([high, math.inf])), over, n))
    )
    protocol = draw(st.sampled_from([None, "paper", "reduced", "stand-in"]))
    claim_result = ClaimResult(claim, found, draw(st.sampled_from(Verdict)), draw(TEXT), protocol, primary=draw(st.booleans()))
    ids = tuple(draw(st.lists(st.integers(0, 16**12 - 1).map(lambda i: f"{i:012x}"), max_size=3)))
    return dataclasses.replace(ClaimRecord.of(claim_result, "fair-coin", "gpu, quick"), trials=ids, invocations=ids[:1])


@given(st.lists(records(), min_size=1, max_size=4))
def test_a_record_reads_back_from_its_line(each):
    text = as_csv(pd.DataFrame([record.cells() for record in each], columns=list(COLUMNS)))
    assert [ClaimRecord.read(line) for line in csv.DictReader(io.StringIO(text))] == each


@given(records())
def test_a_record_as_json_keeps_to_the_schema_that_is_made_of_it(record):
    line = json.loads(json.dumps(record.json(), allow_nan=False))
    VALIDATOR.validate(line)
    assert list(line) == list(COLUMNS)
    assert (record.measured is None) == (record.estimate is None)
    assert [name for name, value in line.items() if value is None and math.isinf(getattr(record, name) or 0)] == [
        name for name in ("low", "high") if math.isinf(getattr(record, name) or 0)
    ]


@pytest.mark.parametrize(
    ("change", "error"),
    [({"verdict": "true"}, ValueError), ({"kind": "law"}, ValueError), ({"primary": "yes"}, ValueError), ({"low": "wide"}, ValueError),
     ({"statement": None}, KeyError)],
)  # fmt: skip
def test_a_line_of_another_version_is_no_record(change, error):
    record = ClaimRecord.of(ClaimResult(coin.CLAIMS[0], Estimate(1.0, 0.0, 2.0, "seeds", 3), Verdict.REPRODUCED), "fair-coin")
    line = {name: "" if cell is None else str(cell) for name, cell in record.cells().items()}
    assert ClaimRecord.read(line) == record
    changed = {name: cell for name, cell in {**line, **change}.items() if cell is not None}
    with pytest.raises(error):
        ClaimRecord.read(changed)


def test_a_record_says_all_that_a_claim_says_in_words_or_numbers():
    """What it leaves out says how the claim is measured."""
    how = {"table", "where", "trial", "needs", "measure", "superseded_by", "calibration", "misprint"}
    how |= {"guards", "guarded", "without_controls", "brings_trials"}  # their result is "controls"
    how |= {"version", "min_repetitions"}  # the version is recorded with the run, before there are results
    assert {field.name for field in dataclasses.fields(Claim)} - how - {"id"} <= set(COLUMNS)
