"""The type checker of the tests: as Python reads annotations, an int is good where a float is asked for."""

from beartype import BeartypeConf, beartype

checked = beartype(conf=BeartypeConf(is_pep484_tower=True))
