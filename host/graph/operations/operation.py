"""The base of all operations of a step."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import ClassVar

from fractrain.host.graph.tensor import Tensor


@dataclass(frozen=True, eq=False)
class Operation:
    """An operation of a step, with a ``name`` that is unique in its graph.

    ``slot``: its precision slot; it is skipped when the slot has 0 bits (None: never). The output
    of a skipped operation is its input ``bypass``; without one it does not exist. A reader of a
    tensor that does not exist is not carried out either, unless that input is ``optional``
    (`carried_out` has the rule in code).

    A class names its input fields in ``reads`` and its output fields in ``makes``; a field is a
    tensor, several, or None. Its docstring has the formula.
    """

    name: str
    slot: int | None

    reads: ClassVar[tuple[str, ...]] = ()
    makes: ClassVar[tuple[str, ...]] = ()
    optional: ClassVar[tuple[str, ...]] = ()
    """Fields of ``reads`` that may be missing."""
    bypassed: ClassVar[str | None] = None
    """The field that is the bypass."""

    @property
    def inputs(self) -> tuple[Tensor, ...]:
        return tuple(self._tensors(self.reads))

    @property
    def outputs(self) -> tuple[Tensor, ...]:
        """The first is the result, others come with it."""
        return tuple(self._tensors(self.makes))

    @property
    def needed(self) -> tuple[Tensor, ...]:
        """The inputs that must exist."""
        fields = [each for each in self.reads if each not in self.optional]
        return tuple(self._tensors(fields))

    @property
    def bypass(self) -> Tensor | None:
        """The input that replaces the output of a skipped operation."""
        return None if self.bypassed is None else getattr(self, self.bypassed)

    def _tensors(self, fields: Iterable[str]) -> Iterator[Tensor]:
        for field in fields:
            value = getattr(self, field)
            if isinstance(value, tuple):
                yield from value
            elif value is not None:
                yield value
