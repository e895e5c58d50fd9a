"""The type checker of the tests: as Python reads annotations, an int is good where a float is asked for."""

import typer
from beartype import BeartypeConf, FrozenDict, beartype

# Typer asks for its own class in the signature of a command and hands over an object of the class that it derives from.
checked = beartype(conf=BeartypeConf(is_pep484_tower=True, hint_overrides=FrozenDict({typer.Context: object})))
