"""Generate JSON Schemas from dataclasses."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from enum import StrEnum
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

from myths.lab.setting import Range, Text, meanings

_PLAIN = {str: "string", bool: "boolean", int: "integer", float: "number"}


def json_schema(kind: type) -> dict[str, Any]:
    """Return the JSON Schema of a dataclass: an object with exactly its fields, described by their attribute docstrings."""
    hints, told = get_type_hints(kind, include_extras=True), meanings(kind)
    properties = {field.name: {**_value(hints[field.name]), "description": told[field.name]} for field in dataclasses.fields(kind)}
    return {"type": "object", "required": list(properties), "additionalProperties": False, "properties": properties}


def _value(hint: Any) -> dict[str, Any]:
    origin, arguments = get_origin(hint), get_args(hint)
    if origin is Annotated:
        return _value(arguments[0]) | {key: said for rule in arguments[1:] for key, said in _rule(rule).items()}
    if origin in (Union, UnionType):
        choices = [_value(each) for each in arguments if each is not NoneType]
        return {"anyOf": [*choices, {"type": "null"}]} if NoneType in arguments else {"anyOf": choices}
    if origin is Literal:
        return {"enum": list(arguments)}
    if origin is tuple:
        return {"type": "array", "items": _value(arguments[0])}
    if origin is Mapping:
        return {"type": "object"} | ({} if arguments[1] is Any else {"additionalProperties": _value(arguments[1])})
    if issubclass(hint, StrEnum):
        return {"enum": [str(each) for each in hint]}
    return {"type": _PLAIN[hint]} if hint in _PLAIN else json_schema(hint)


def _rule(rule: Any) -> dict[str, Any]:
    if isinstance(rule, Text):
        return {"pattern": f"^{rule.pattern}$"}
    return {"minimum": rule.at_least} if isinstance(rule, Range) and rule.at_least is not None else {}
