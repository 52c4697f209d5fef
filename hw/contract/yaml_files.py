"""The YAML files of this project, read strictly: ambiguous values are refused.

A file is one mapping of keys to numbers, words, true, false, null, lists and mappings. Refused,
with file, line and remedy: duplicate keys; scalars that YAML 1.1 and YAML 1.2 read differently
(``010``, ``1_000``, ``12:30``, ``yes``); anchors, merge keys, tags and further documents, which no
file needs; files so large or deep that reading them is an attack. Every decimal number is a number,
also ``1e-3`` (a word in YAML 1.1). Quotes make any scalar a word.
"""

from __future__ import annotations

import codecs
import math
import os
import re
from collections.abc import Iterator
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any

import yaml

from fractrain.hw.contract.errors import DataError, ParameterError, shortened
from fractrain.hw.contract.values import LONGEST_NUMBER, REAL_NUMBER, WHOLE_NUMBER

LARGEST_BYTES = 256 * 1024
"""A sweep of a thousand single runs has 100 KB; this much is parsed in seconds."""

DEEPEST = 16
"""A sweep's candidates are 6 deep."""

CONSTANTS: dict[str, bool | None] = dict.fromkeys(("", "~", "null", "Null", "NULL"))
CONSTANTS |= dict.fromkeys(("true", "True", "TRUE"), True)
CONSTANTS |= dict.fromkeys(("false", "False", "FALSE"), False)

AMBIGUOUS = (
    (
        re.compile(r"[-+]?0[0-9]+(\.[0-9]*)?([eE][-+]?[0-9]+)?"),
        "a number without leading zeros: YAML 1.1 reads octal digits, YAML 1.2 decimal ones",
    ),
    (re.compile(r"[-+]?0([xX][0-9a-fA-F_]+|o[0-7_]+|b[01_]+)"), "a decimal number"),
    (
        re.compile(r"[-+]?[0-9.][0-9_.]*_[0-9_.]*([eE][-+]?[0-9]+)?"),
        "a number without _, which YAML 1.1 skips and YAML 1.2 takes for part of a word",
    ),
    (
        re.compile(r"[-+]?[0-9][0-9_]*(:[0-5]?[0-9])+(\.[0-9_]*)?"),
        "a decimal number, or a word in quotes: YAML 1.1 reads base 60, YAML 1.2 a word",
    ),
    (
        re.compile(r"y|yes|n|no|on|off", re.IGNORECASE),
        "true or false, or a word in quotes: YAML 1.1 reads a truth value, YAML 1.2 a word",
    ),
    (re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)"), "a finite number"),
)
"""Plain scalars that are refused, and what to write instead."""

UNPRINTABLE = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""Characters that YAML does not allow anywhere."""


def read_yaml(path: Traversable, *, source: str, takes: str, advice: str = "") -> dict[str, Any]:
    """The mapping in the file ``path``, called ``source`` in errors.

    ``takes``: its keys, and ``advice``: alternatives to the file, for the errors. Raises
    `DataError` for a file that cannot be read, is not such YAML or is empty, `ParameterError` for a
    duplicate key and an ambiguous scalar.
    """
    try:
        content = _content(path)
    except (OSError, ValueError) as error:  # ValueError: of a name that cannot be one
        reason = getattr(error, "strerror", None) or error
        raise DataError(f"cannot read {shortened(source)}: {reason}{advice}") from error
    return parse_yaml(content, source=source, takes=takes)


def parse_yaml(content: bytes, *, source: str, takes: str) -> dict[str, Any]:
    """As `read_yaml`, of a file's ``content``."""
    source = shortened(source)
    if len(content) > LARGEST_BYTES:
        raise DataError(f"{source} has more than {LARGEST_BYTES // 1024} KB: no file of ours has")
    document = _Reader(_decoded(content, source), source).document()
    if not isinstance(document, dict):
        what = (
            "a list"
            if isinstance(document, list)
            else "nothing"
            if document is None
            else "one value"
        )
        raise DataError(f"{source} holds {what}, no keys with values: it takes {takes}")
    return document


def _content(path: Traversable) -> bytes:
    """At most one byte more than is allowed. A pipe without a writer is empty."""
    if not isinstance(path, Path):
        return path.read_bytes()
    with open(path, "rb", opener=lambda name, flags: os.open(name, flags | os.O_NONBLOCK)) as file:
        os.set_blocking(file.fileno(), True)
        return file.read(LARGEST_BYTES + 1)


def _decoded(content: bytes, source: str) -> str:
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise DataError(f"{source} is not YAML in UTF-8, but UTF-16: save it as UTF-8")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise DataError(
            f"{source} is not YAML in UTF-8: line {line} has the byte 0x{content[error.start]:02x}"
        ) from error
    if found := UNPRINTABLE.search(text):
        line = text.count("\n", 0, found.start()) + 1
        raise DataError(
            f"{source} is not YAML: line {line} has the character U+{ord(found[0]):04X}"
        )
    return text


class _Reader:
    """Makes a document of PyYAML's events, one after the other, without building refused parts."""

    def __init__(self, text: str, source: str) -> None:
        self._source = source
        self._events: Iterator[yaml.Event] = iter(yaml.parse(text, Loader=yaml.SafeLoader))

    def document(self) -> Any:
        """The only one; None if there is none."""
        self._next()  # the stream begins
        if isinstance(self._next(), yaml.StreamEndEvent):
            return None
        value = self._value(self._next(), "", 1)
        self._next()  # the document ends
        further = self._next()
        if not isinstance(further, yaml.StreamEndEvent):
            raise self._refusal(further, "a further document (---): one file has one")
        return value

    def _next(self) -> yaml.Event:
        try:
            return next(self._events)
        except yaml.MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            line = "" if mark is None else f"line {mark.line + 1}: "
            problem = shortened(": ".join(filter(None, (error.context, error.problem))))
            if "'\\t'" in problem:
                problem = "a tab, where YAML takes spaces only"
            raise DataError(f"{self._source} is not YAML: {line}{problem}") from error

    def _value(self, event: yaml.Event, path: str, depth: int) -> Any:
        """The value that begins with ``event``; ``path`` leads to it, for errors."""
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
            raise self._refusal(event, "anchors (&a, *a): write the value out wherever it is meant")
        if getattr(event, "tag", None):
            raise self._refusal(event, "tags (!, !!): values are numbers, words, lists, mappings")
        if isinstance(event, yaml.ScalarEvent):
            return event.value if event.style else self._plain(event, path)
        if depth > DEEPEST:
            raise self._refusal(event, f"more than {DEEPEST} levels of lists and mappings")
        if isinstance(event, yaml.SequenceStartEvent):
            return self._list(path, depth)
        return self._mapping(path, depth)

    def _list(self, path: str, depth: int) -> list[Any]:
        values: list[Any] = []
        while not isinstance(event := self._next(), yaml.SequenceEndEvent):
            values.append(self._value(event, f"{path}[{len(values)}]", depth + 1))
        return values

    def _mapping(self, path: str, depth: int) -> dict[str, Any]:
        values: dict[str, Any] = {}
        lines: dict[str, int] = {}
        while not isinstance(event := self._next(), yaml.MappingEndEvent):
            key = self._key(event)
            inner = f"{path}.{key}" if path else key
            if key in lines:
                allowed = f"each key once; line {lines[key]} has it already"
                raise ParameterError(inner, key, allowed, where=self._place(event))
            lines[key] = _line(event)
            values[key] = self._value(self._next(), inner, depth + 1)
        return values

    def _key(self, event: yaml.Event) -> str:
        """As it is written: a key is a word, even if it looks like a number."""
        if not isinstance(event, yaml.ScalarEvent):
            raise self._refusal(event, "a key that is no word")
        if event.value == "<<" and not event.style:
            raise self._refusal(event, "merge keys (<<): write the values out")
        if event.tag or event.anchor:
            raise self._refusal(event, "tags and anchors at keys")
        return event.value

    def _plain(self, event: yaml.ScalarEvent, path: str) -> Any:
        """The value of a scalar without quotes."""
        text = event.value
        if text in CONSTANTS:
            return CONSTANTS[text]
        for pattern, allowed in AMBIGUOUS:
            if pattern.fullmatch(text):
                raise ParameterError(path or "value", text, allowed, where=self._place(event))
        if not REAL_NUMBER.fullmatch(text):
            return text
        short = len(text) <= LONGEST_NUMBER
        value = 0 if not short else int(text) if WHOLE_NUMBER.fullmatch(text) else float(text)
        if not short or not math.isfinite(value):
            allowed = "a number that a float64 holds, in 40 characters at most"
            raise ParameterError(path or "value", text, allowed, where=self._place(event))
        return value

    def _refusal(self, event: yaml.Event, what: str) -> DataError:
        return DataError(f"{self._source}, line {_line(event)}: not read here: {what}")

    def _place(self, event: yaml.Event) -> str:
        return f"line {_line(event)} of {self._source}"


def _line(event: yaml.Event) -> int:
    mark = event.start_mark
    return 0 if mark is None else mark.line + 1
