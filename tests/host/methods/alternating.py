"""A method in one file: one precision in even steps, another one in odd steps."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from fractrain.host.methods.method import Method, MethodKind, Task
from fractrain.host.networks.selection import FixedSelector
from fractrain.host.plugins.option import Checked, option
from fractrain.hw.contract.precision import PRECISION, Precision


@dataclass(frozen=True)
class Options(Checked):
    """The two precisions."""

    even_precision: Precision = option(
        PRECISION, Precision(4, 4, 6), "bits in even steps", metavar="A,W,E"
    )
    odd_precision: Precision = option(
        PRECISION, Precision(8, 8, 8), "bits in odd steps", metavar="A,W,E"
    )


class Alternating(Method):
    """Even and odd steps have a precision each."""

    selector: FixedSelector

    def __init__(self, options: Options) -> None:
        self._both = options.even_precision, options.odd_precision
        super().__init__("alternating", FixedSelector(*self._both))

    def before_step(self, step: int) -> None:
        self.selector.precision = self._both[step % 2]

    def describe(self, value: Any) -> dict[str, Any]:
        return {"bits": [str(each) for each in self._both]}


def build(options: Options, task: Task) -> Method:
    return Alternating(options)


METHOD = MethodKind("alternating", "two precisions, step by step", Options, build)
