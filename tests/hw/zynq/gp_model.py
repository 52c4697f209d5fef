"""What the bridge must answer, by its docstring: GP0 with memory in place of registers."""

from __future__ import annotations

from random import Random

from fractrain.hw.contract.registers import REGISTERS_BYTES
from fractrain.hw.targets.zynq import REGISTERS_BASE
from tests.harness.axi3_memory import DECERR, OKAY, SLVERR
from tests.hw.zynq.gp_master import FIXED, INCR, WRAP, GpAccess

__all__ = ["GpModel", "random_access"]


class GpModel:
    """`REGISTERS_BYTES` of memory that take single bytes; ``refuses(strobes)``: the memory's own
    response to a write with those strobes."""

    def __init__(self) -> None:
        self.memory = bytearray(REGISTERS_BYTES)

    def refusal(self, access: GpAccess, address: int) -> int:
        """The response to a beat at ``address`` that reaches no register; `OKAY` if it does."""
        if not _inside(access.address):
            return DECERR
        if access.size > 2 or access.burst not in (FIXED, INCR):
            return SLVERR
        return OKAY if _inside(address) else DECERR

    def addresses(self, access: GpAccess) -> list[int]:
        """Of every beat (AXI3, "Burst address")."""
        size = 1 << access.size
        aligned = access.address // size * size
        steps = [0] * access.beats if access.burst == FIXED else range(access.beats)
        return [access.address if step == 0 else aligned + step * size for step in steps]

    def write(self, access: GpAccess) -> int:
        worst = OKAY
        for number, address in enumerate(self.addresses(access)):
            refusal = self.refusal(access, address)
            worst = max(worst, refusal)
            if refusal == OKAY:
                word = address % REGISTERS_BYTES // 4 * 4
                for lane in range(4):
                    if access.strobes[number] >> lane & 1:
                        self.memory[word + lane] = access.data[number] >> 8 * lane & 0xFF
        return worst

    def read(self, access: GpAccess) -> tuple[list[int], list[int]]:
        words, responses = [], []
        for address in self.addresses(access):
            refusal = self.refusal(access, address)
            word = address % REGISTERS_BYTES // 4 * 4
            content = int.from_bytes(self.memory[word : word + 4], "little")
            words.append(0 if refusal else content)
            responses.append(refusal)
        return words, responses


def _inside(address: int) -> bool:
    return REGISTERS_BASE <= address < REGISTERS_BASE + REGISTERS_BYTES


def random_access(random: Random, *, write: bool) -> GpAccess:
    """Mostly what software does, sometimes anything that the channel can carry.

    No 4 KB boundary is crossed, as the rules have it, but by a burst that starts inside.
    """
    usual = random.random() < 0.6
    beats = random.choice([1, 1, 2, 4, 16, random.randint(1, 16)])
    size = 2 if usual else random.choice([0, 1, 2, 2, 3])
    burst = INCR if usual else random.choice([FIXED, INCR, WRAP, 3])
    offset = random.randrange(REGISTERS_BYTES // 4) * 4
    if random.random() < 0.2:
        offset = REGISTERS_BYTES - 4 * random.randint(1, 8)  # near the end, perhaps beyond it
    base = REGISTERS_BASE
    if random.random() < 0.1:
        base = random.choice(
            [base + REGISTERS_BYTES, base - REGISTERS_BYTES, base | 1 << random.randint(12, 29), 0]
        )
    access = GpAccess(
        base + offset + (0 if usual else random.randrange(4)),
        beats,
        id=random.choice([0, 0, 5, 0xFFF, random.getrandbits(12)]),
        size=size,
        burst=burst,
        lock=0 if usual else random.randrange(4),
    )
    if write:
        access.data = [random.getrandbits(32) for _ in range(beats)]
        access.strobes = [0xF if usual else random.getrandbits(4) for _ in range(beats)]
        access.lead = random.choice([0, 0, 3, 12])
    return access
