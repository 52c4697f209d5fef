"""The lanes of a line, in groups that are one module."""

from amaranth.hdl import Module, Value
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In

from fractrain.hw.contract.errors import ParameterError
from fractrain.hw.shared_module import SharedModule
from fractrain.hw.vector.lanes import VectorLanes

__all__ = ["LaneGroups"]

GROUP_LANES = 8


class LaneGroups(wiring.Component):
    """`VectorLanes` of ``lanes`` pixels, as groups of `GROUP_LANES` that are mapped once.

    Members and timing: as `VectorLanes`; what is not by lane is the same in all groups, each of
    which has registers of its own for it.
    Errors: `ParameterError` for lanes that are no groups; those of `VectorLanes`.
    """

    def __init__(self, lanes: int, *, primitives: bool = False) -> None:
        if lanes < 1 or lanes % GROUP_LANES:
            raise ParameterError("lanes", lanes, f"a multiple of {GROUP_LANES}")
        self.groups = [
            VectorLanes(GROUP_LANES, primitives=primitives) for _ in range(lanes // GROUP_LANES)
        ]
        self.lanes, self.most_residual_bits = lanes, self.groups[0].most_residual_bits
        self._name = f"vector_lanes_{GROUP_LANES}{'_cells' if primitives else ''}"
        members = self.groups[0].signature.members
        super().__init__({name: self._of_a_line(name, each) for name, each in members.items()})

    def _of_a_line(self, name: str, member: wiring.Member) -> wiring.Member:
        """``member`` of a group as it is of all lanes."""
        shape = member.shape
        if _by_lane(name, member):
            shape = data.ArrayLayout(shape.elem_shape, self.lanes) if name != "mask" else self.lanes
        return wiring.Member(member.flow, shape)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        for number, lanes in enumerate(self.groups):
            group = SharedModule(lanes, self._name)
            m.submodules[f"group_{number}"] = group
            for name, member in self.signature.members.items():
                outer, inner = Value.cast(getattr(self, name)), Value.cast(getattr(group, name))
                if _by_lane(name, member):
                    outer = outer[number * len(inner) : (number + 1) * len(inner)]
                m.d.comb += inner.eq(outer) if member.flow == In else outer.eq(inner)
        return m


def _by_lane(name: str, member: wiring.Member) -> bool:
    return name == "mask" or isinstance(member.shape, data.ArrayLayout)
