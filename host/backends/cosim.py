"""The generated machine itself, simulated: every integer comes out of the RTL."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from gen.build_hash import build_hash, hash_register
from host.accelerator import Accelerator, Counters, Integers
from host.lowering import MatrixProduct, lower_error, lower_forward, lower_gradient
from host.optional import needs_extra
from host.program import MatrixProgram
from host.shapes import output_size
from hw.contract.errors import MachineError
from hw.contract.matrix_commands import encode_all
from hw.contract.matrix_registers import (
    BUILD_HASH,
    COUNTERS,
    ID,
    IDENTITY,
    RegisterMap,
    encode_precision,
)
from hw.contract.parameters import Parameters
from hw.contract.precision import Operand, Precision
from sim.cosim.engine import EngineSimulation, Program, RunResult

SLOT = 0
BUSY = next(counter for counter in COUNTERS if counter.name == "BUSY")


class CosimAccelerator(Accelerator):
    """The matrix engine of ``parameters`` under Verilator, behind the accelerator's interface.

    Opening compiles it, unless an earlier run has. Convolutions are lowered to matrix products
    on the host; their operands go in as bit planes and their sums come out of the array.

    Raises `MissingToolError` if a compiler or a package is missing, `MachineError` if the machine
    stops; it has been reset then and takes the next call.
    """

    def __init__(self, parameters: Parameters) -> None:
        super().__init__(parameters)
        self._map = RegisterMap(parameters)
        with needs_extra("hardware"):
            self._machine = EngineSimulation(parameters)
        self._check_identity()

    def _check_identity(self) -> None:
        identity = self._machine.read_register(ID.address)
        if identity != IDENTITY:
            raise MachineError(
                f"register ID reads 0x{identity:08X} instead of 0x{IDENTITY:08X}: "
                "this is no FracTrain engine"
            )
        expected = hash_register(build_hash(self.parameters))
        found = self._machine.read_register(BUILD_HASH.address)
        if found != expected:
            raise MachineError(
                f"register BUILD_HASH reads 0x{found:08X}, the configuration makes "
                f"0x{expected:08X}: hardware and software were not generated together"
            )

    def _forward(
        self, a: Integers, w: Integers, bits: tuple[int, int], stride: int, padding: int
    ) -> NDArray[np.int64]:
        product = self._multiply(lower_forward(a, w, stride, padding), bits)
        height, width = output_size(a.shape[2:], w.shape[2:], stride, padding)
        return _to_images(product, a.shape[0], (height, width))

    def _error(
        self,
        e: Integers,
        w: Integers,
        bits: tuple[int, int],
        stride: int,
        padding: int,
        input_size: tuple[int, int],
    ) -> NDArray[np.int64]:
        product = self._multiply(lower_error(e, w, stride, padding, input_size), bits)
        return _to_images(product, e.shape[0], input_size)

    def _gradient(
        self,
        a: Integers,
        e: Integers,
        bits: tuple[int, int],
        stride: int,
        padding: int,
        kernel_size: tuple[int, int],
    ) -> NDArray[np.int64]:
        product = self._multiply(lower_gradient(a, e, stride, padding, kernel_size), bits)
        return product.T.reshape(e.shape[1], a.shape[1], *kernel_size)

    def _close(self) -> None:
        self._machine.close()

    # -- the machine -----------------------------------------------------------------------

    def _multiply(self, product: MatrixProduct, bits: tuple[int, int]) -> NDArray[np.int64]:
        """``product.rows @ product.columns.T``, computed by the machine."""
        program = MatrixProgram(
            product.pass_, product.rows, product.columns, bits, self.parameters, slot=SLOT
        )
        # Only the two operands of this pass are used; the third gets a bit that nobody reads.
        widths = {product.pass_.row: bits[0], product.pass_.column: bits[1]}
        precision = Precision(*(widths.get(operand, 1) for operand in Operand))
        commands = encode_all(program.commands)
        write = self._map.table_address(SLOT), encode_precision(precision)
        busy = self._read_busy()
        try:
            result = self._machine.run(Program(commands, program.blocks, program.beats, [write]))
        except MachineError:
            self._machine.reset()  # what is left of this program must not meet the next one
            raise
        self._count(commands, program, result, self._read_busy() - busy)
        return program.collect(result.results)

    def _count(
        self, commands: NDArray[np.uint8], program: MatrixProgram, result: RunResult, busy: int
    ) -> None:
        result_bits = program.beats * self.parameters.results_per_beat
        result_bits *= self.parameters.precision.accumulator_bits
        self._counters += Counters(
            cycles=result.cycles,
            busy_cycles=busy,
            bytes_in=commands.nbytes + program.blocks.nbytes,
            bytes_out=result_bits // 8,
        )

    def _read_busy(self) -> int:
        low = self._machine.read_register(BUSY.address)
        return low | self._machine.read_register(BUSY.address + 1) << 32


def _to_images(product: NDArray[np.int64], batch: int, size: tuple[int, int]) -> NDArray[np.int64]:
    """``[(n, height, width), channels]`` → ``[n, channels, height, width]``."""
    images = product.reshape(batch, *size, -1)
    return np.ascontiguousarray(images.transpose(0, 3, 1, 2))
