"""What a reader of graphs does with each operation; unknown ones are refused by name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeVar

from fractrain.host.graph.operations import Operation
from fractrain.hw.contract.errors import ParameterError

Handler = TypeVar("Handler")


class Dispatch(Generic[Handler]):
    """What ``reader`` (of graphs) does with each class of operation; ``where``: in which module.

    A new operation is made known to a reader by ``@dispatch.register(NewOperation)``.
    """

    def __init__(self, reader: str, where: str = "") -> None:
        self._reader, self._where = reader, where
        self._handlers: dict[type[Operation], Handler] = {}

    def register(self, *classes: type[Operation]) -> Callable[[Handler], Handler]:
        """Decorates what is done with operations of ``classes``."""

        def enter(handler: Handler) -> Handler:
            self._handlers |= {each: handler for each in classes}
            return handler

        return enter

    def of(self, operation: Operation) -> Handler:
        """What is done with ``operation``; `ParameterError` if that is unknown."""
        handler = self._handlers.get(type(operation))
        if handler is None:
            raise ParameterError(
                f"operation {operation.name}",
                type(operation).__name__,
                f"one that {self._reader} knows",
                hint=f"{self._where} has the others" if self._where else "",
            )
        return handler
