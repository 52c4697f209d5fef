"""The RTL of a machine with a vector unit and the functional machine, side by side: how a program
ends on each, and whether a good one runs behind it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import numpy as np
from numpy.typing import NDArray

from fractrain.hw.contract import registers as contract
from fractrain.hw.contract.commands import (
    COMMAND_BYTES,
    NO_GROUP,
    Command,
    Convolve,
    End,
    Fault,
    Fill,
    Form,
    Format,
    Load,
    Memory,
    Narrow,
    Pattern,
    Set,
    Shape,
    Spill,
    Store,
    encode,
)
from fractrain.hw.contract.errors import MachineError
from fractrain.hw.contract.normalized import KeptBits
from fractrain.hw.contract.parameters import Parameters
from fractrain.hw.contract.precision import Operand, Precision
from fractrain.hw.contract.records import RECORD_BYTES, Record, pack_records
from fractrain.sim.cosim.convolution import ConvolutionSimulation
from fractrain.sim.cosim.convolution_faults import BusFaults, ErrorRegion
from fractrain.sim.functional import FunctionalMachine
from fractrain.sim.functional.fault import FaultError
from fractrain.sim.functional.words import BrokenBytes
from tests.coverage.vector_unit.drawing import KEPT, TABLE, WIDE
from tests.sim.cosim.unit_programs import Ended, run_program, set_tables, soft_reset

__all__ = ["ENDED", "MEMORY_BYTES", "Access", "Pair"]

MEMORY_BYTES = 1 << 21
PROGRAM = 1 << 20
GOOD_PROGRAM = PROGRAM + (1 << 14)
GOOD = PROGRAM + (1 << 15)
"""Of the good program's tensors."""
GOOD_BYTES = 1 << 12
RECORDS, SCALE = 0x200, 16
"""Of them: the records, and the number of the one that shifts its sums."""
CYCLE_LIMIT = 200_000
ENDED = Ended(Fault.NONE, 0)
SKIP = Precision(0, 0, 0)
Bytes = NDArray[np.uint8]
Access = tuple[int, int, bool]
"""First byte, bytes, whether they are written."""


class Pair:
    """Machines of ``p``, with the table of `TABLE` and memories of the same bytes."""

    def __init__(self, p: Parameters) -> None:
        self.p, self.rtl = p, ConvolutionSimulation(p, memory_bytes=MEMORY_BYTES)
        self.rtl.memory[:] = np.random.default_rng(1).integers(
            256, size=MEMORY_BYTES, dtype=np.uint8
        )
        shifts = pack_records(Record.SCALE, {"narrow_shift": [2]})
        place = GOOD + RECORDS + SCALE * RECORD_BYTES
        self.rtl.memory[place : place + RECORD_BYTES] = shifts[0]
        self.start = self.rtl.memory.copy()
        self.rtl.collect(None)
        self.functional = FunctionalMachine(p, self.start.copy(), seed=2)
        rest, (bits, kept) = p.precision.slots - len(TABLE) - 1, WIDE
        self.functional.table = [*TABLE, bits, *[SKIP] * rest]  # type: ignore[list-item]
        self.functional.kept = [*KEPT, kept, *[KeptBits(4, 4)] * rest]
        set_tables(self.rtl, self.functional.table, self.functional.kept, (0, 0))
        self.functional.rounding = 0, 0
        self.cycles = 0

    def close(self) -> None:
        self.rtl.close()

    # -- one program ---------------------------------------------------------------------------

    def expect(self, words: Sequence[int]) -> Ended | None:
        """How it ends on the functional machine; None: it waits for ever."""
        self.put(self.functional._external.data, PROGRAM, words)
        try:
            self.functional.run(PROGRAM, len(words))
        except FaultError as error:
            return Ended(error.fault, error.index)
        except MachineError:
            return None
        return ENDED

    def run(self, words: Sequence[int]) -> Ended:
        """How it ends on the RTL, which must then say so in its registers."""
        self.put(self.rtl.memory, PROGRAM, words)
        before = self.rtl.cycles
        ended = run_program(self.rtl, PROGRAM, len(words), cycle_limit=CYCLE_LIMIT)
        self.cycles += self.rtl.cycles - before
        status = self.rtl.read_register(contract.STATUS.address)
        failed = ended.fault is not Fault.NONE
        assert contract.FAULT.extract(status) == failed, ended
        assert contract.DONE.extract(status) == (not failed), ended
        return ended

    @staticmethod
    def put(memory: np.ndarray, address: int, words: Sequence[int]) -> None:
        data = b"".join(word.to_bytes(COMMAND_BYTES, "little") for word in words)
        memory[address : address + len(data)] = np.frombuffer(data, np.uint8)

    # -- a good one behind it ------------------------------------------------------------------

    def recovers(self, *, reset: bool) -> None:
        """After a soft ``reset``, or without one, a program through all stages runs as ever."""
        if reset:
            soft_reset(self.rtl)
            assert not self.rtl.read_register(contract.FAULT_INDEX.address)
        words = [encode(each) for each in good_program(self.p)]
        part = slice(GOOD, GOOD + GOOD_BYTES)
        wanted = self.functional._external.data
        for memory in (wanted, self.rtl.memory):
            memory[part] = self.start[part]
            self.put(memory, GOOD_PROGRAM, words)
        self.functional.run(GOOD_PROGRAM, len(words))
        ended = run_program(self.rtl, GOOD_PROGRAM, len(words), cycle_limit=CYCLE_LIMIT)
        assert ended == ENDED
        np.testing.assert_array_equal(self.rtl.memory[part], wanted[part])
        assert (wanted[part] != self.start[part]).any()

    # -- what goes wrong in memory -------------------------------------------------------------

    def accesses(self, words: Sequence[int], index: int) -> list[Access]:
        """What command ``index`` reads and writes in memory, in its order, on the functional
        machine."""
        external = self.functional._external
        read, write, found = external.read, external.write, []

        def noted_read(address: int, size: int) -> Bytes:
            found.append((address, size, False))
            return read(address, size)

        def noted_write(address: int, values: Bytes) -> None:
            found.append((address, len(values), True))
            write(address, values)

        def count(program: Sequence[int]) -> int:
            found.clear()
            assert self.expect(program) == ENDED
            return len(found)

        external.read, external.write = noted_read, noted_write  # type: ignore[method-assign]
        try:
            without = count([*words[:index], encode(End())])
            count([*words[: index + 1], encode(End())])
            return found[without:]
        finally:
            del external.read, external.write

    @contextmanager
    def broken(self, region: ErrorRegion) -> Iterator[None]:
        """Meanwhile memory answers with errors there, on both."""
        broken = BrokenBytes(region.first, region.last, region.reads, region.writes)
        self.functional.inject((broken,))
        self.rtl.inject(BusFaults((region,)))
        try:
            yield
        finally:
            self.functional.inject(())
            self.rtl.inject(BusFaults())


def good_program(p: Parameters) -> list[Command]:
    """All stages at work: planes and weights, a product, y and its lines, records, what FORM makes
    of other lines; all that comes out is in memory, and depends on nothing from before."""
    a = {"slot": 1, "operand": Operand.ACTIVATION, "partner": Operand.WEIGHT}
    w = {"slot": 1, "operand": Operand.WEIGHT, "partner": Operand.ACTIVATION}
    words = {"runs": 1, "words": 1, "digit_stride": 1, "destination_digit_stride": 1}
    channels, pattern = p.block.channels, 1
    norm, scale = channels, 2 * channels
    return [
        Shape(entry=1, stash_stride=1, mask_plane=11, activation_plane=12, residual_plane=20),
        Fill(address=GOOD, lines=channels),
        Set(address=GOOD + RECORDS, words=SCALE + 1, destination=0, signal=0b110),
        Load(**a, **words, memory=Memory.PLANES, address=GOOD + 0x400, destination=0),
        Load(**w, **words, memory=Memory.COLUMNS, address=GOOD + 0x500, destination=0,
             groups=NO_GROUP << 4, signal=0b001),
        Pattern(entry=pattern, a_enable=True, a_quarters=0b1111),
        Convolve(**a, row_signed=False, column_signed=True, pattern=pattern, pairs=1, address=0,
                 digit_stride=1, column_address=0, groups=1, images=2, wait=0b001),
        Store(**a, format=Format.RAW32, address=GOOD + 0x600),
        Narrow(slot=1, address=64, scale=scale, wait=0b01, signal=0b100),
        Form(slot=1, shape=1, normalized=True, chunk=0, norm=norm, source=0, planes=8, side=0,
             planed=True, kept=True, stash_normalized=True, stash_mask=True, form_slot=2,
             kept_slot=1, stash_activations=True, stash_residual=True, pooled=True,
             stash=GOOD + 0x800, pool=GOOD + 0xC00, wait=0b001),
        Spill(address=GOOD + 0xD00, lines=channels, source=64, wait=0b100),
        End(),
    ]  # fmt: skip
