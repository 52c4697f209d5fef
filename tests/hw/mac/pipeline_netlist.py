"""What a feed-forward pipeline computes, from its gates.

Yosys takes the emitted Verilog, with its own models of the vendor's primitives, apart into
gates and flip-flops.
"""

import json
import subprocess
import tempfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from fractrain.gen.synthesis.yosys import yosys_command
from fractrain.gen.tool_environment import python_environment
from fractrain.sim.cosim.cache import build_root

__all__ = ["Logic", "Net", "Pipeline", "read_pipeline"]

Net = int | str
"""A net's number, or the constant "0" or "1"."""

_SCRIPT = (
    "read_verilog design.v; read_verilog +/xilinx/cells_sim.v; hierarchy -top {top}; proc; "
    "flatten; opt -full {opt}; techmap; opt -full {opt}; delete t:$scopeinfo; "
    "write_json netlist.json"
)
# as they are: without synchronous resets or enables made of the logic before them
_KEEP_FLIP_FLOPS = "-nosdff -nodffe"
_FLIP_FLOP = "$_DFF_P_"


class Logic(Protocol):
    """Operations on values of whatever kind; the constants 0 and 1 are values of it."""

    def invert(self, value: Any) -> Any: ...
    def both(self, a: Any, b: Any) -> Any: ...
    def either(self, a: Any, b: Any) -> Any: ...
    def differ(self, a: Any, b: Any) -> Any: ...
    def choose(self, condition: Any, then: Any, otherwise: Any) -> Any: ...


@dataclass(frozen=True)
class Pipeline:
    """Gates and flip-flops between ports.

    ports : nets of every port; drivers : kind and input nets of the cell that drives a net
    """

    ports: dict[str, list[Net]]
    drivers: dict[Net, tuple[str, list[Net]]]

    def flip_flop_input(self, net: Net) -> Net | None:
        """The net that ``net`` was a cycle ago; None if it does not come from a flip-flop."""
        kind, sources = self.drivers.get(net, ("", []))
        return sources[0] if kind == _FLIP_FLOP else None

    def evaluate(self, logic: Logic, known: dict[Net, Any], targets: Iterable[Net]) -> list[Any]:
        """Values of ``targets``, flip-flops taken for wires, given those of the ``known`` nets."""
        values = {"0": 0, "1": 1} | known
        targets = list(targets)
        for net in self._in_order(targets, set(values)):
            kind, sources = self.drivers[net]
            values[net] = _operation(logic, kind)(*(values[source] for source in sources))
        return [values[net] for net in targets]

    def lag(self, targets: Iterable[Net], inputs: Iterable[Net]) -> int:
        """Flip-flops on the way from ``inputs`` to ``targets``; fails unless all ways have as many.

        Then the targets are a function of the inputs of one cycle, that many cycles ago: the
        one that `evaluate` gives.
        """
        lags: dict[Net, int | None] = {"0": None, "1": None} | dict.fromkeys(inputs, 0)
        targets = list(targets)
        for net in self._in_order(targets, set(lags)):
            kind, sources = self.drivers[net]
            found = {lags[source] for source in sources} - {None}
            assert len(found) <= 1, f"a {kind} mixes cycles {found}"
            lag = next(iter(found), None)
            lags[net] = lag if lag is None or kind != _FLIP_FLOP else lag + 1
        (result,) = {lags[net] for net in targets} - {None}
        return result

    def leaves(self, net: Net) -> set[Net]:
        """Flip-flops and inputs that the logic in front of ``net`` starts from."""
        found: set[Net] = set()
        stack, seen = [net], set()
        while stack:
            each = stack.pop()
            if each in seen or each in ("0", "1"):
                continue
            seen.add(each)
            kind, sources = self.drivers.get(each, ("", []))
            if kind in ("", _FLIP_FLOP):
                found.add(each)
            else:
                stack += sources
        return found

    def _in_order(self, targets: list[Net], known: set[Net]) -> Iterator[Net]:
        """Nets that ``targets`` need and that are not ``known``, each after its sources."""
        open_nets: set[Net] = set()
        stack = [(net, False) for net in targets]
        while stack:
            net, sources_done = stack.pop()
            if net in known:
                continue
            if sources_done:
                known.add(net)
                yield net
            else:
                assert net not in open_nets, "feedback"
                open_nets.add(net)
                stack.append((net, True))
                stack += [(source, False) for source in self.drivers[net][1]]


def _operation(logic: Logic, kind: str) -> Callable[..., Any]:
    return {
        _FLIP_FLOP: lambda d: d,
        "$_NOT_": logic.invert,
        "$_AND_": logic.both,
        "$_OR_": logic.either,
        "$_XOR_": logic.differ,
        "$_MUX_": lambda a, b, s: logic.choose(s, b, a),
    }[kind]


def read_pipeline(verilog: str, top: str) -> Pipeline:
    """The gates of module ``top``."""
    build_root().mkdir(parents=True, exist_ok=True)
    # inside the project: Yosys from its wheel does not see the machine's temporary folder
    with tempfile.TemporaryDirectory(dir=build_root()) as folder:
        Path(folder, "design.v").write_text(verilog)
        script = _SCRIPT.format(top=top, opt=_KEEP_FLIP_FLOPS)
        command = yosys_command("-q", "-p", script)
        subprocess.run(
            command, cwd=folder, env=python_environment(), check=True, capture_output=True
        )
        module = json.loads(Path(folder, "netlist.json").read_text())["modules"][top]
    drivers = {}
    for cell in module["cells"].values():
        pins = {name: nets[0] for name, nets in cell["connections"].items()}
        (output,) = (pins.pop(name) for name in ("Q", "Y") if name in pins)
        names = [name for name in ("D", "A", "B", "S") if name in pins]
        drivers[output] = (cell["type"], [pins[name] for name in names])
    return Pipeline({name: port["bits"] for name, port in module["ports"].items()}, drivers)
