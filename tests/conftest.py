"""Shapes and types are checked at run time in every test; outside the tests they cost nothing."""

from jaxtyping import install_import_hook

install_import_hook("myths", "beartype.beartype").__enter__()
