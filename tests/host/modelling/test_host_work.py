"""The host's work, counted: by hand for a small network, and as it is written."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from fractrain.host.backends.engine import EngineAccelerator, Outcome
from fractrain.host.compiler import Program, tensors
from fractrain.host.compiler import program as program_module
from fractrain.host.compiler.results import TileRegion
from fractrain.host.graph.choice import Choice, Path, fixed_choices
from fractrain.host.graph.integer_options import IntegerOptions
from fractrain.host.graph.operations import width
from fractrain.host.graph.options import StepOptions
from fractrain.host.graph.skipping import is_skipped
from fractrain.host.graph.step import StepGraph, build_step
from fractrain.host.graph.tensor import Tensor
from fractrain.host.machine.work import MachineWork
from fractrain.host.modelling import host_kinds as kinds
from fractrain.host.modelling import integer_kinds, processor
from fractrain.host.modelling.host_kinds import Kind
from fractrain.host.modelling.host_work import (
    STORED_BITS,
    count_host_work,
    count_operations,
    gates_of,
)
from fractrain.host.networks.parameter import Parameter
from fractrain.host.networks.registry import build_network
from fractrain.host.numerics.elementwise import Elementwise
from fractrain.host.numerics.quantization import Quantized, StochasticRounding, WeightLevels
from fractrain.host.training.optimizer import MomentumSgd
from fractrain.hw.contract.errors import ParameterError
from fractrain.hw.contract.layout import check_values
from fractrain.hw.contract.parameters import load_parameters
from fractrain.hw.contract.precision import Pass, Precision
from tests.host.modelling.steps import SKIP, resnet8_step

TINY = load_parameters("tiny")
EIGHT = Precision(8, 8, 8)


def step_on(images: int = 1, **more: Any) -> StepGraph:
    """A ResNet-8 on images of 8 x 8 pixels."""
    return resnet8_step((images, 1, 8, 8), StepOptions((EIGHT, SKIP), **more), classes=2)


# -- by hand ---------------------------------------------------------------------------------------

# ResNet-8 on one image of 8 x 8 pixels: what its convolutions give, in elements.
STAGE0, STAGE1, STAGE2 = 16 * 8 * 8, 32 * 4 * 4, 64 * 2 * 2
OUTPUTS = 3 * STAGE0 + 3 * STAGE1 + 3 * STAGE2  # the first; of a block first, second, shortcut
INPUTS = STAGE0 + STAGE0 + STAGE1  # of the three blocks
WEIGHTS = (
    *(16 * 9, 16 * 16 * 9, 16 * 16 * 9),
    *(32 * 16 * 9, 32 * 32 * 9, 32 * 16),
    *(64 * 32 * 9, 64 * 64 * 9, 64 * 32),
)
NORMS = 2 * (3 * 16 + 3 * 32 + 3 * 64)

BY_HAND = {
    kinds.NORMALIZE: OUTPUTS,
    kinds.NORMALIZE_BACKWARD: OUTPUTS,
    # behind the first convolution; inside each block and behind it
    kinds.RECTIFY: STAGE0 + 2 * (STAGE0 + STAGE1 + STAGE2),
    kinds.RECTIFY_BACKWARD: STAGE0 + 2 * (STAGE0 + STAGE1 + STAGE2),
    # forward at the end of each block, backward at its beginning
    kinds.ADD: STAGE0 + STAGE1 + STAGE2 + INPUTS,
    # of each block its input and what is inside; shortcuts quantize their input once more
    kinds.RANGE: INPUTS + STAGE0 + STAGE1 + STAGE2,
    kinds.QUANTIZE_ACTIVATIONS: INPUTS + STAGE0 + STAGE1 + STAGE2 + STAGE0 + STAGE1,
    kinds.QUANTIZE_WEIGHTS: sum(WEIGHTS),
    kinds.QUANTIZE_ERRORS: OUTPUTS,
    kinds.RANDOM: OUTPUTS,
    # forward; gradient; the error at each input but that of the first
    kinds.DEQUANTIZE: OUTPUTS + sum(WEIGHTS) + 4 * STAGE0 + 3 * STAGE1 + STAGE2,
    kinds.POOL: STAGE2,
    kinds.LOSS: 64 * 2,
    kinds.OPTIMIZER: sum(WEIGHTS) + NORMS + 64 * 2 + 2,
    kinds.DATA: 8 * 8,
}


def test_a_small_network_by_hand() -> None:
    counting = count_operations(step_on(), fixed_choices([EIGHT] * 3))
    elements, calls = counting.work.elements, counting.work.calls
    found = {kind.name: count for kind, count in elements.items()}
    assert found == {kind.name: count for kind, count in BY_HAND.items()}
    assert len(counting.convolved) == 3 * 9 - 1
    assert calls[kinds.NORMALIZE] == 9 and calls[kinds.RANGE] == 6
    assert counting.work.numpy_calls(kinds.NORMALIZE) == 9 * 7


def test_gates_add_what_they_look_at() -> None:
    """Inputs pooled, outputs' errors multiplied, and inputs read as top planes of eight."""
    few = Precision(3, 4, 6)
    step = step_on(stored_bits=STORED_BITS, learns=True)
    counting = count_operations(step, fixed_choices([few] * 3), gates_of(step, [few]))
    elements = counting.work.elements
    static = count_operations(step_on(), fixed_choices([few] * 3)).work.elements
    assert elements[kinds.POOL_GATES] == elements[kinds.ADD_GATES] == INPUTS
    assert elements[kinds.INNER_PRODUCTS] == STAGE0 + STAGE1 + STAGE2
    assert elements[kinds.TOP_PLANES] == INPUTS
    # the shortcuts read the same eight bits
    more = elements[kinds.QUANTIZE_ACTIVATIONS] - static[kinds.QUANTIZE_ACTIVATIONS]
    assert more == -(STAGE0 + STAGE1)
    own = 3 * (32 + 32 * 16 + 16) + 32 * (16 + 16 + 32)
    shared = 2 * (16 * 64 + 64) + 16 + 1  # the only candidate
    assert elements[kinds.GATE_NETWORK] == own + 3 * shared
    assert elements[kinds.OPTIMIZER] - static[kinds.OPTIMIZER] == own + shared
    read = {
        each.convolution(counting.table).stored
        for each in counting.convolved
        if each.pass_ is Pass.FORWARD
    }
    assert read == {(8, 8), (8, 4), (3, 4)}


def test_skipped_blocks_do_nothing() -> None:
    """Not even an addition, where only a shortcut is left."""
    counting = count_operations(step_on(), fixed_choices([SKIP, SKIP, EIGHT]))
    elements = counting.work.elements
    assert elements[kinds.NORMALIZE] == OUTPUTS - 2 * STAGE0 - 2 * STAGE1
    assert elements[kinds.ADD] == STAGE2 + STAGE1
    assert len(counting.convolved) == 3 * 5 - 1


def test_ghost_batches_are_calls_of_their_own() -> None:
    network = build_network("resnet8", channels=1, classes=2, rng=np.random.default_rng(0), group=2)
    step = build_step(network, (5, 1, 8, 8), StepOptions((EIGHT,)))
    counting = count_operations(step, fixed_choices([EIGHT] * 3))
    elements, calls = counting.work.elements, counting.work.calls
    assert calls[kinds.NORMALIZE] == calls[kinds.NORMALIZE_BACKWARD] == 3 * 9
    assert elements[kinds.NORMALIZE] == 5 * OUTPUTS


def test_odd_weights_take_sums_of_their_own() -> None:
    few = Precision(4, 3, 6)
    step = resnet8_step((1, 1, 8, 8), StepOptions((few,), odd_weights=(3,)))
    counting = count_operations(step, fixed_choices([few] * 3))
    elements = counting.work.elements
    # forward of the layers whose precision is chosen, and the errors at their inputs
    outputs = 2 * (STAGE0 + STAGE1 + STAGE2)
    assert elements[kinds.ODD_SUMS] == outputs + INPUTS + STAGE0 + STAGE1 + STAGE2
    assert len(counting.convolved) == 3 * 9 - 1 + 2 * 6


def test_refusals() -> None:
    with pytest.raises(ParameterError, match="choices: got 1, allowed: 3, one for each block"):
        count_host_work(step_on(), fixed_choices([EIGHT]), TINY)
    several = step_on(per_sample=True)
    everywhere = [Choice((Path(EIGHT, 1), Path(SKIP, 0)))] * 3
    with pytest.raises(ParameterError, match="TakePath.*one that the count of the host's work"):
        count_host_work(several, everywhere, TINY)


# -- to the machine and back -----------------------------------------------------------------------


class Idle(EngineAccelerator):
    """A machine that leaves its memory as it is."""

    def _memory(self, program: Program) -> NDArray[np.uint8]:
        return np.zeros(program.memory_bytes, np.uint8)

    def _execute(self, program: Program, image: NDArray[np.uint8], precisions: Any) -> Outcome:
        return Outcome(image, np.zeros(0, np.int64), MachineWork())


FLOAT_STEP = StepOptions((Precision(9, 4, 12), Precision(3, 4, 6), SKIP), odd_weights=(4,))
INTEGER_STEP = StepOptions(
    (Precision(8, 4, 12), Precision(3, 4, 6), SKIP), integers=IntegerOptions()
)


@pytest.mark.parametrize("options", [FLOAT_STEP, INTEGER_STEP], ids=["float", "hardware"])
def test_programs_are_packed_as_counted(
    options: StepOptions, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a backend with a machine checks, turns into planes, and reads out of tiles."""
    found: Counter[Kind] = Counter()
    planes, from_memory, check = tensors._write_planes, TileRegion.from_memory, check_values
    narrow, wide = kinds.TO_BLOCKS, kinds.TO_WIDE_BLOCKS
    if options.integers is not None:
        narrow, wide = integer_kinds.BYTES_TO_BLOCKS, integer_kinds.WORDS_TO_BLOCKS
    checked = {4: kinds.CHECK, 1: integer_kinds.CHECK_BYTES, 2: integer_kinds.CHECK_WORDS}

    def counting_planes(blocks: np.ndarray, bits: int, *more: Any) -> None:
        found[narrow if bits <= 8 else wide] += blocks.size
        found[kinds.TO_PLANES if bits <= 8 else kinds.TO_WIDE_PLANES] += blocks.size * bits
        planes(blocks, bits, *more)

    def counting_tiles(self: TileRegion, data: np.ndarray) -> np.ndarray:
        tiles = from_memory(self, data)
        found[kinds.FROM_TILES] += tiles.size
        return tiles

    def counting_check(name: str, values: np.ndarray, *more: Any) -> None:
        found[checked[values.itemsize]] += values.size
        check(name, values, *more)

    monkeypatch.setattr(tensors, "_write_planes", counting_planes)
    monkeypatch.setattr(TileRegion, "from_memory", counting_tiles)
    monkeypatch.setattr(program_module, "check_values", counting_check)
    step = resnet8_step((2, 1, 8, 8), options)
    most, few, _ = options.precisions
    choices = fixed_choices([most, SKIP, few])
    work, table = count_host_work(step, choices, TINY), step.table(choices)
    machine = Idle(TINY)
    machine.prepare(step)

    def zeros(of: Tensor) -> np.ndarray:
        bits = width(of.bits, table) if of.bits is not None else 32
        small = np.int8 if bits <= 8 else np.int16
        return np.zeros(of.shape, np.int32 if options.integers is None else small)

    for piece in step.pieces:
        running = [each for each in piece.convolutions if not is_skipped(each, table)]
        read = {each.stored for convolve in running for each in (convolve.row, convolve.column)}
        if running:
            found[kinds.COMMANDS] += machine.programs.of_piece(piece).program.commands.size // 8
            machine.run_piece(piece, {each.name: zeros(each) for each in read}, table)
    assert {kind.name: work.elements[kind] for kind in found} == {
        kind.name: count for kind, count in found.items()
    }
    assert len(found) == 7 if options.integers is None else 8


# -- as it is written ------------------------------------------------------------------------------


class Seen(np.ndarray):
    """An array that notes what NumPy is called for on whole tensors, in the notation of `Kind`."""

    log: list[str] = []
    shape_of_all = (2, 3, 5, 7)

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **kwargs: Any) -> Any:
        plain = [each.view(np.ndarray) if isinstance(each, Seen) else each for each in inputs]
        if out := kwargs.get("out"):
            kwargs["out"] = tuple(
                each.view(np.ndarray) if isinstance(each, Seen) else each for each in out
            )
        result = getattr(ufunc, method)(*plain, **kwargs)
        read = {id(each): each for each in inputs if whole(each)}
        if read:
            sizes = "".join(str(each.itemsize) for each in read.values())
            Seen.log.append(f"{sizes}>{result.itemsize if whole(result) else ''}")
        if out:
            return kwargs["out"][0].view(Seen)
        return result.view(Seen) if whole(result) else result


def whole(x: object) -> bool:
    return isinstance(x, np.ndarray) and x.shape == Seen.shape_of_all


def seen(dtype: Any = np.float32) -> Any:
    values = np.random.default_rng(0).integers(1, 50, Seen.shape_of_all).astype(dtype)
    return values.view(Seen)


class SeenNamespace:
    """NumPy, with conversions noted, too."""

    def __getattr__(self, name: str) -> Any:
        return getattr(np, name)

    def asarray(self, x: Any, dtype: Any) -> Any:
        if whole(x):
            Seen.log.append(f"{x.itemsize}>{np.dtype(dtype).itemsize}")
        return np.asarray(x, dtype).view(Seen)


class SeenFractions(StochasticRounding):
    """Random numbers, noted as they are made."""

    def __init__(self) -> None:
        super().__init__(0, 0)

    def fractions(self, shape: tuple[int, ...]) -> Any:
        Seen.log.append(">4")
        return super().fractions(shape).view(Seen)


CHANNELS = np.ones((1, 3, 1, 1), np.float32)
SCALED = Quantized(None, np.float32(1), 8)


def work_on(e: Elementwise) -> dict[Kind, Callable[[], Any]]:
    """Each kind, as layers ask for it."""
    saved = (seen(), CHANNELS)
    return {
        kinds.NORMALIZE: lambda: e.normalize(seen(), CHANNELS, CHANNELS, 1e-5),
        kinds.NORMALIZE_BACKWARD: lambda: e.normalize_backward(seen(), saved, CHANNELS),
        kinds.RECTIFY: lambda: e.rectify(seen()),
        kinds.RECTIFY_BACKWARD: lambda: e.rectify_backward(seen(), seen(bool)),
        kinds.ADD: lambda: e.add(seen(), seen(), keep=False),
        kinds.ADD_GATES: lambda: e.add(seen(), CHANNELS, keep=True),
        kinds.RANGE: lambda: e.xp.max(seen()),
        kinds.QUANTIZE_ACTIVATIONS: lambda: e.quantize_activations(seen(), 8, np.float32(50)),
        kinds.TOP_PLANES: lambda: e.top_planes(Quantized(seen(np.int32), np.float32(1), 8), 3),
        kinds.QUANTIZE_WEIGHTS: lambda: e.quantize_weights(seen(), 8, WeightLevels.MAX),
        kinds.QUANTIZE_ERRORS: lambda: e.quantize_errors(seen(), 6, SeenFractions()),
        kinds.ODD_SUMS: lambda: 2 * seen(np.int64) - seen(np.int64),
        kinds.DEQUANTIZE: lambda: e.dequantize(seen(np.int64), SCALED, SCALED),
        kinds.POOL_GATES: lambda: e.xp.mean(seen(), axis=(0, 2, 3)),
        kinds.POOL: lambda: e.xp.mean(seen(), axis=(2, 3)),
        kinds.OPTIMIZER: step,
    }


def step() -> None:
    parameter = Parameter("w", seen())
    optimizer = MomentumSgd([parameter])
    parameter.gradient, optimizer.velocity = seen(), {"w": seen()}
    Seen.log.clear()
    optimizer.update(parameter, 0.1)
    np.sum(parameter.value)  # as the trainer looks whether all are finite


@pytest.mark.parametrize("kind", work_on(Elementwise()), ids=lambda kind: kind.name)
def test_calls_are_those_of_the_code(kind: Kind) -> None:
    call = work_on(Elementwise(SeenNamespace()))[kind]
    Seen.log.clear()
    call()
    wanted = [*kind.calls, ">4"] if kind is kinds.QUANTIZE_ERRORS else list(kind.calls)
    assert sorted(Seen.log) == sorted(wanted)


def test_figures_of_a_kind() -> None:
    assert kinds.QUANTIZE_ERRORS.bytes_as_written == 8 + 4 + 8 + 8 + 12 + 9 + 9 + 8 + 8
    assert kinds.TO_WIDE_PLANES.bytes_as_written == 4 + 3 + 1 + 1 / 8 + 2 / 8
    assert kinds.TO_WIDE_PLANES.accesses_as_written == 2 + 2 + 1 + 1 / 8 + 2 / 8


# -- the processor ---------------------------------------------------------------------------------


def test_time_is_bound_by_what_is_slower() -> None:
    """A million elements: of few bytes, of few operations, of integers, of random numbers."""
    million = 1e6
    busy = Kind("busy", "g", "", operations=40, bytes_read=4, bytes_written=4, calls=("4>4",))
    assert processor.seconds_at_best(busy, million) == pytest.approx(
        million * 40 / (2 * 2 * 666_667_000)
    )
    assert processor.seconds_at_best(kinds.ADD, million) == pytest.approx(million * 12 / 2.84e9)
    assert processor.seconds_at_best(kinds.RANDOM, million) == pytest.approx(
        million * kinds.RANDOM_CYCLES / (2 * 666_667_000)
    )
    copied = 393 * 2**20  # bytes a second, each read and written
    assert processor.seconds_as_written(kinds.ADD, million) == pytest.approx(
        million * 12 / (2 * copied)
    )
    light = Kind("light", "g", "", 1, 1, 0, calls=("1>",) * 9)
    assert processor.seconds_as_written(light, million) == pytest.approx(
        million * (9 + 9) / 666_667_000
    )
    integers = Kind("i", "g", "", 64, 1, 0, calls=(), lane_bytes=2, integer=True)
    assert processor.seconds_at_best(integers, million) == pytest.approx(
        million * 8 / (2 * 666_667_000)
    )
    copies = Kind("c", "g", "", 1, 1, 0, calls=("1>1",) * 9, lane_bytes=1, integer=True)
    assert processor.seconds_as_written(copies, million) == pytest.approx(
        million * 18 / 666_667_000
    )
