"""Types and shapes are checked at run time in every test, each function by the faster checker that suffices for it.

``jaxtyping`` compares the dimensions of all arguments of a call, and for that binds the arguments of every call anew, which makes a short
function twenty times slower. Only functions whose annotations name dimensions are checked so; for the others ``beartype`` checks the types.
"""

import dataclasses
import inspect
from collections.abc import Callable
from typing import Any, get_args, get_type_hints

import jaxtyping
import typer
from beartype import BeartypeConf, FrozenDict, beartype
from jaxtyping import AbstractArray, install_import_hook, jaxtyped

# As Python reads annotations, an int is good where a float is asked for. Typer asks for its own class in the signature of a command and
# hands over an object of the class that it derives from. What is refused is a TypeError, as jaxtyping's is.
checked = beartype(conf=BeartypeConf(is_pep484_tower=True, hint_overrides=FrozenDict({typer.Context: object}), violation_type=TypeError))


def install(package: str) -> None:
    """Check what is imported from a package from now on."""
    jaxtyping.jaxtyped = lambda *, typechecker: check  # the name that the import hook decorates with
    install_import_hook(package, f"{__name__}.checked").__enter__()


def check(decorated: Any) -> Any:
    """Return a function, or a class whose generated ``__init__``, checks its arguments."""
    if not inspect.isclass(decorated):
        return check_function(decorated)
    if dataclasses.is_dataclass(decorated) and "__init__" in vars(decorated):
        decorated.__init__ = check_function(decorated.__init__)
    return decorated


def check_function(function: Callable) -> Callable:
    """Return the function with the checker that its annotations need."""
    written = function.__annotations__
    read = {name: as_type(annotation, function.__globals__) for name, annotation in written.items()}
    if any(map(has_dimensions, read.values())):
        return jaxtyped(function, typechecker=checked)
    function.__annotations__ = read
    found = checked(function)
    function.__annotations__ = found.__annotations__ = written
    return found


def as_type(annotation: Any, names: dict[str, Any]) -> Any:
    """Return what an annotation means: anything, where it names what is imported for type checkers only, or defined further down."""

    def annotated(value):
        """Have one argument."""

    annotated.__annotations__ = {"value": annotation}
    try:
        return get_type_hints(annotated, names, include_extras=True)["value"]
    except (NameError, AttributeError, TypeError):
        return Any


def has_dimensions(hint: Any) -> bool:
    """Return whether a type names the dimensions of an array."""
    return (inspect.isclass(hint) and issubclass(hint, AbstractArray)) or any(map(has_dimensions, get_args(hint)))
