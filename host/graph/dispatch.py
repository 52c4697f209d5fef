"""Dispatch of a graph's reader by class of operation; unknown ones are refused by name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeVar

from fractrain.host.graph.operations import Operation
from fractrain.hw.contract.errors import ParameterError

Handler = TypeVar("Handler")


class Dispatch(Generic[Handler]):
    """Handlers of a ``reader`` of graphs, by class of operation; ``where``: their module.

    ``@dispatch.register(NewOperation)`` adds one.
    """

    def __init__(self, reader: str, where: str = "") -> None:
        self._reader, self._where = reader, where
        self._handlers: dict[type[Operation], Handler] = {}

    def register(self, *classes: type[Operation]) -> Callable[[Handler], Handler]:
        """Decorates the handler of operations of ``classes``."""

        def enter(handler: Handler) -> Handler:
            self._handlers |= {each: handler for each in classes}
            return handler

        return enter

    def of(self, operation: Operation) -> Handler:
        """The handler of ``operation``; `ParameterError` if there is none."""
        handler = self._handlers.get(type(operation))
        if handler is None:
            raise ParameterError(
                f"operation {operation.name}",
                type(operation).__name__,
                f"one that {self._reader} knows",
                hint=f"{self._where} has the others" if self._where else "",
            )
        return handler
