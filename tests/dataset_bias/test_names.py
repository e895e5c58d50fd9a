"""A set of the user's own cannot hide behind the name of a set that the suite has."""

from myths.dataset_bias.sets import PREPARED, REAL
from myths.lab.data.catalog import CATALOG
from myths.lab.data.names import reserved
from myths.lightweight_conv.names import PROCEDURAL, SUMMARIES, UNAVAILABLE
from myths.saliency.names import SAMPLE, SQUEEZENET, UNTRAINED


def test_every_name_that_a_myth_gives_to_data_is_reserved():
    assert set(CATALOG[PREPARED].members) == REAL
    assert {*REAL, *PROCEDURAL, SUMMARIES, *UNAVAILABLE, SAMPLE, SQUEEZENET, UNTRAINED, "digits", "multi30k"} <= reserved()
