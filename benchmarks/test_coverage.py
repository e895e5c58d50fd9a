"""Coverage of every interval, with 2,000 experiments each, also of those that may have no estimate. Takes some fifteen minutes.

The short form is tests/lab/test_coverage.py. Run `python -m pytest benchmarks/test_coverage.py -o addopts=`.
"""

import pytest

from tests.coverage.experiment import coverage
from tests.lab.test_coverage import LISTED

DRAWS = 2000


@pytest.mark.parametrize("case", LISTED)
def test_an_interval_holds_the_truth_as_often_as_it_says(case):
    assert coverage(case, DRAWS).shortcomings() == []
