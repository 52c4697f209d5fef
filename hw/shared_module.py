"""Components that are emitted once and instantiated many times.

Amaranth emits one module per component *instance*: an array of 512 equal units becomes 512
equal modules, which every later tool reads, optimizes and maps 512 times. A `SharedModule`
stands for the component in its parent and elaborates to an instance of a named module, which
the `ModuleLibrary` given as the platform emits once.
"""

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from amaranth.back import rtlil, verilog
from amaranth.hdl import (
    ClockDomain,
    ClockSignal,
    Elaboratable,
    Fragment,
    Instance,
    Module,
    ResetSignal,
    Value,
)
from amaranth.lib import wiring
from amaranth.lib.wiring import In

from fractrain.hw.contract.errors import ParameterError
from fractrain.hw.rtlil import prepared

__all__ = ["ModuleLibrary", "SharedModule"]


def _ports(component: wiring.Component) -> dict[str, tuple[bool, Any]]:
    """Port name as `verilog.convert` writes it → (is input, value), nested members joined by __."""
    return {
        "__".join(map(str, path)): (member.flow == In, value)
        for path, member, value in component.signature.flatten(component)
    }


def _leave(value: object) -> None:
    """Tell Amaranth that ``value``, and what it has made of parts, is not elaborated on purpose: it
    would warn of it."""
    if isinstance(value, Elaboratable):
        value._MustUse__used = True
        _leave(list(vars(value).values()))
    elif isinstance(value, list | tuple):
        for each in value:
            _leave(each)


@contextmanager
def _collecting_rarely() -> Iterator[None]:
    """Let Python look for garbage less often: an elaborated design is millions of objects, all of
    them in use. As often as usual it takes a seventh to a quarter of the time."""
    usual = gc.get_threshold()
    gc.set_threshold(50_000, 50, 100)
    try:
        yield
    finally:
        gc.set_threshold(*usual)


class SharedModule(wiring.Component):
    """The component ``component``, emitted as the module ``name`` and shared by all who use it.

    Members and timing: as ``component``; domain ``sync`` only.

    The module carries ``keep_hierarchy``: every tool keeps it as a module. Many instances hold
    equal registers (the same operand in two clusters, a counter beside each multiplexer) so that
    none drives more than a part of the chip; a tool that flattens the hierarchy would merge them
    again. The attribute works in every tool and still lets it merge what is equal by accident.

    Elaborated without a `ModuleLibrary` (Amaranth's own simulator) it is the component itself,
    so the same design simulates everywhere.

    A `ResetInserter` around it reaches into the component, but not into an instance: whatever must
    be cleared while the domain's reset is low needs an input of its own for that.

    Two components with the same ``name`` must be the same hardware: put every parameter that
    changes it into the name.
    """

    def __init__(self, component: wiring.Component, name: str) -> None:
        self.component = component
        self.name = name
        super().__init__(component.signature)

    def elaborate(self, platform: object) -> Elaboratable:
        if not isinstance(platform, ModuleLibrary):
            m = Module()
            m.submodules.shared = self.component
            wiring.connect(m, wiring.flipped(self), self.component)
            return m
        platform.add(self.name, self.component)
        connections = {
            f"{'i' if is_input else 'o'}_{port}": value
            for port, (is_input, value) in _ports(self).items()
        }
        return Instance(self.name, i_clk=ClockSignal(), i_rst=ResetSignal(), **connections)


class ModuleLibrary:
    """Collects the shared modules of a design and writes the whole design as Verilog.

    Use as ``ModuleLibrary().emit(top, name)``; it is the ``platform`` of the elaboration.
    """

    def __init__(self) -> None:
        self._components: dict[str, wiring.Component] = {}
        self._ports: dict[str, list[tuple[str, int]]] = {}

    def add(self, name: str, component: wiring.Component) -> None:
        """Remember that module ``name`` is needed; `ParameterError` if it means something else."""
        ports = [(port, len(Value.cast(value))) for port, (_, value) in _ports(component).items()]
        if self._ports.setdefault(name, ports) != ports:
            raise ParameterError(
                "shared module name", name, "one name per hardware: put the parameters into it"
            )
        if self._components.setdefault(name, component) is not component:
            _leave(component)

    def emit(self, top: wiring.Component, name: str) -> str:
        """Verilog of ``top`` as module ``name``, followed by every shared module once.

        The text depends on the design only: same input, same bytes.
        """
        with _collecting_rarely():
            modules = [self._convert(top, name, kept=False)]
            emitted: set[str] = set()
            while pending := sorted(self._components.keys() - emitted):
                for each in pending:
                    modules.append(self._convert(self._components[each], each, kept=True))
                    emitted.add(each)
        return "\n".join(modules)

    def _convert(self, component: wiring.Component, name: str, *, kept: bool) -> str:
        # Every module has clk and rst, whether it uses them or not, so that all instances
        # look alike.
        domain = ClockDomain("sync")
        fragment = Fragment.get(component, self)
        fragment.add_domains(domain)
        ports = {"clk": (domain.clk, None), "rst": (domain.rst, None)}
        ports |= {port: (Value.cast(value), None) for port, (_, value) in _ports(component).items()}
        text, _ = rtlil.convert_fragment(fragment, ports, name, emit_src=False)
        # The last part of `verilog.convert`, for which Amaranth has no public name.
        return verilog._convert_rtlil_text(prepared(text, kept=kept), strip_internal_attrs=True)
