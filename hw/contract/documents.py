"""The one validator of all documents, in YAML and JSON: checks them against schemas.

A schema has for each key a `Rule`, or a schema again (`Section`, `ListOf`, `TableOf`). Errors are
`ParameterError` with the path in the document and the file,
``array.rows: got 0, allowed: a whole number, 1..256 (array.rows in my.yaml)``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fractrain.hw.contract.errors import ParameterError, did_you_mean
from fractrain.hw.contract.values import Rule

__all__ = ["ListOf", "Schema", "Section", "TableOf", "read_document"]


@dataclass(frozen=True)
class Section:
    """A mapping with keys of ``fields``; those of ``needed`` must be there (None: all)."""

    fields: Mapping[str, Schema]
    needed: Sequence[str] | None = None


@dataclass(frozen=True)
class ListOf:
    """A list whose entries are all alike."""

    each: Schema


@dataclass(frozen=True)
class TableOf:
    """A mapping with any words as keys, whose values are all alike."""

    each: Schema


Schema = Rule | Section | ListOf | TableOf


def read_document(document: object, schema: Schema, source: str, *, path: str = "") -> Any:
    """The values of ``document``, read from ``source``, by ``schema``.

    ``path``: where in the file it stands. Raises `ParameterError` for what is not allowed.
    """
    where = f"{path or 'top level'} in {source}"
    if isinstance(schema, Rule):
        return schema.read(path or source, document, where=where)
    if isinstance(schema, ListOf):
        if not isinstance(document, list):
            raise ParameterError(path or source, document, "a list", where=where)
        return [
            read_document(value, schema.each, source, path=f"{path}[{number}]")
            for number, value in enumerate(document)
        ]
    if isinstance(schema, TableOf):
        if not isinstance(document, Mapping):
            raise ParameterError(path or source, document, "keys with values", where=where)
        inner: Mapping[str, Schema] = dict.fromkeys(document, schema.each)
    else:
        _check_keys(document, schema, path or source, where)
        inner = schema.fields
    assert isinstance(document, Mapping)
    return {
        key: read_document(value, inner[key], source, path=f"{path}.{key}" if path else key)
        for key, value in document.items()
    }


def _check_keys(document: object, section: Section, name: str, where: str) -> None:
    known = ", ".join(section.fields)
    if not isinstance(document, Mapping):
        raise ParameterError(name, document, f"a mapping with {known}", where=where)
    for key in document:
        if key not in section.fields:
            hint = did_you_mean(str(key), section.fields)
            raise ParameterError("unknown key", key, known, where=where, hint=hint)
    for key in section.fields if section.needed is None else section.needed:
        if key not in document:
            schema = section.fields[key]
            hint = f"add {key}: {schema.allowed}" if isinstance(schema, Rule) else ""
            raise ParameterError("missing key", key, f"all of {known}", where=where, hint=hint)
