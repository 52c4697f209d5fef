"""Random commands, and what the contract says of a command and a table: the decoder's reference."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import Any

from fractrain.hw.contract.commands import (
    COMMAND_BITS,
    ENGINE_OPCODES,
    ENGINE_SIGNAL,
    ENGINE_WAIT,
    FIELDS,
    HEADER,
    NO_GROUP,
    Fault,
    Format,
    Memory,
    Opcode,
    RowPixels,
    Stage,
)
from fractrain.hw.contract.parameters import Parameters
from fractrain.hw.contract.precision import Precision

OWNER = {
    Opcode.LOAD: Stage.FETCH,
    Opcode.CONVOLVE: Stage.EXECUTE,
    Opcode.PATTERN: Stage.EXECUTE,
    Opcode.STORE: Stage.RESULT,
}


def fields_of(word: int, opcode: Opcode) -> dict[str, int]:
    """Unsigned values of all fields."""
    return {
        name: (word >> place.offset) & ((1 << place.width) - 1)
        for name, place in FIELDS[opcode].items()
    }


def with_field(word: int, opcode: Opcode, name: str, value: int) -> int:
    place = FIELDS[opcode][name]
    mask = ((1 << place.width) - 1) << place.offset
    return word & ~mask | (value << place.offset) & mask


def good_command(random: Random, parameters: Parameters, opcode: Opcode) -> int:
    """All bits random, then what must not be is mended."""
    word = with_field(random.getrandbits(COMMAND_BITS), opcode, "opcode", opcode)

    def put(name: str, value: int) -> None:
        nonlocal word
        word = with_field(word, opcode, name, value)

    stage = OWNER.get(opcode)
    put("wait", random.getrandbits(len(ENGINE_WAIT[stage])) if stage is not None else 0)
    put("signal", random.getrandbits(len(ENGINE_SIGNAL[stage])) if stage is not None else 0)
    put("slot", random.randrange(parameters.precision.slots))
    put("operand", random.randrange(3))
    put("partner", random.randrange(3))
    patterns = parameters.buffers.patterns
    match opcode:
        case Opcode.LOAD:
            put("runs", random.choice([1, 2, 4095]))
            words = random.randint(1, parameters.column_word_parts)
            put("words", words)
            groups = [random.choice([*range(parameters.lane_groups), NO_GROUP]) for _ in range(10)]
            groups[2 * words :] = [random.randrange(16) for _ in groups[2 * words :]]
            put("groups", sum(group << 4 * half for half, group in enumerate(groups)))
        case Opcode.PATTERN:
            put("entry", random.randrange(patterns))
        case Opcode.CONVOLVE:
            pairs = random.randint(1, 12)
            put("pairs", pairs)
            put("pattern", random.randint(0, patterns - pairs))
            put("row_pixels", random.choice(list(RowPixels)))
            for name in ("slices", "tiles_x", "tiles_y", "images"):
                put(name, random.choice([1, 3, 63]))
        case Opcode.STORE:
            put("format", random.choice(list(Format)))
            put("bits", random.randint(1, 16))
            put("row_pixels", random.choice(list(RowPixels)))
            for name in ("tiles_x", "tiles_y", "images"):
                put(name, random.choice([1, 3, 63]))
    return word


def spoiled(random: Random, parameters: Parameters, opcode: Opcode) -> list[tuple[str, int]]:
    """Commands with exactly one thing wrong, each with its name."""

    def good() -> int:
        return good_command(random, parameters, opcode)

    found = [
        (f"{opcode.name} {name} {value}", with_field(good(), opcode, name, value))
        for name, values in _wrong_values(parameters, opcode).items()
        for value in values
    ]
    match opcode:
        case Opcode.LOAD:
            columns = with_field(good(), opcode, "memory", Memory.COLUMNS)
            parts = parameters.column_word_parts
            found.append(("words", with_field(columns, opcode, "words", parts + 1)))
            good_groups = sum(half % 9 << 4 * half for half in range(10))
            columns = with_field(columns, opcode, "words", parts)
            columns = with_field(columns, opcode, "groups", good_groups)
            for half in range(10):
                groups = fields_of(columns, opcode)["groups"] & ~(15 << 4 * half)
                bad = groups | parameters.lane_groups << 4 * half
                found.append((f"group {half}", with_field(columns, opcode, "groups", bad)))
        case Opcode.STORE:
            planes = with_field(good(), opcode, "format", Format.PLANES)
            found += [(f"bits {n}", with_field(planes, opcode, "bits", n)) for n in (0, 17, 31)]
    return found


def _wrong_values(parameters: Parameters, opcode: Opcode) -> dict[str, Sequence[int]]:
    stage, patterns = OWNER.get(opcode), parameters.buffers.patterns
    waits, signals = (
        (len(ENGINE_WAIT[stage]), len(ENGINE_SIGNAL[stage])) if stage is not None else (0, 0)
    )
    slots = parameters.precision.slots
    wrong: dict[str, Sequence[int]] = {
        "wait": [1 << bit for bit in range(waits, HEADER["wait"].width)],
        "signal": [1 << bit for bit in range(signals, HEADER["signal"].width)],
        "slot": [slots, 255] if slots < 256 else [],
        "operand": [3],
        "partner": [3],
    }
    zeros: dict[Opcode, tuple[str, ...]] = {
        Opcode.LOAD: ("runs", "words"),
        Opcode.CONVOLVE: ("pairs", "slices", "tiles_x", "tiles_y", "images"),
        Opcode.STORE: ("tiles_x", "tiles_y", "images"),
    }
    wrong |= {name: [0] for name in zeros.get(opcode, ())}
    extra: dict[Opcode, dict[str, Sequence[int]]] = {
        Opcode.PATTERN: {"entry": [patterns, 255]},
        Opcode.CONVOLVE: {"pattern": [patterns, 255], "row_pixels": [3]},
        Opcode.STORE: {"format": [5, 6, 7], "row_pixels": [3]},
    }
    return wrong | extra.get(opcode, {})


def verdict(word: int, table: Sequence[Precision], parameters: Parameters) -> Fault:
    """The fault of ``word``, NONE if it is a good command."""
    if word & 0xFF not in set(ENGINE_OPCODES):
        return Fault.OPCODE
    opcode = Opcode(word & 0xFF)
    fields = fields_of(word, opcode)
    if fields["slot"] >= parameters.precision.slots or 3 in (fields["operand"], fields["partner"]):
        return Fault.SLOT
    precision = table[fields["slot"]]
    widths = (precision.activation, precision.weight, precision.error)
    used = (widths[fields["operand"]], widths[fields["partner"]])
    if opcode not in (Opcode.PATTERN, Opcode.END) and max(used) > parameters.precision.max_bits:
        return Fault.PRECISION
    return Fault.COUNT if _bad_count(opcode, fields, parameters) else Fault.NONE


def _bad_count(opcode: Opcode, fields: dict[str, int], parameters: Parameters) -> bool:
    stage, patterns = OWNER.get(opcode), parameters.buffers.patterns
    waits, signals = (
        (len(ENGINE_WAIT[stage]), len(ENGINE_SIGNAL[stage])) if stage is not None else (0, 0)
    )
    bad = bool(fields["wait"] >> waits or fields["signal"] >> signals)
    groups = [fields.get("groups", 0) >> 4 * half & 15 for half in range(10)]
    match opcode:
        case Opcode.LOAD:
            bad |= 0 in (fields["runs"], fields["words"])
            if fields["memory"] == Memory.COLUMNS:
                bad |= fields["words"] > parameters.column_word_parts
                used = groups[: 2 * fields["words"]]
                bad |= any(g >= parameters.lane_groups and g != NO_GROUP for g in used)
        case Opcode.PATTERN:
            bad |= fields["entry"] >= patterns
        case Opcode.CONVOLVE:
            names = ("pairs", "slices", "tiles_x", "tiles_y", "images")
            bad |= any(fields[name] == 0 for name in names)
            bad |= fields["pattern"] + fields["pairs"] > patterns or fields["row_pixels"] > 2
        case Opcode.STORE:
            bad |= any(fields[name] == 0 for name in ("tiles_x", "tiles_y", "images"))
            bad |= fields["format"] > max(Format) or fields["row_pixels"] > 2
            bad |= fields["format"] == Format.PLANES and not 1 <= fields["bits"] <= 16
    return bad


def task_of(
    word: int, index: int, table: Sequence[Precision], parameters: Parameters
) -> dict[str, Any]:
    """The fields of the stage task of a good command."""
    opcode = Opcode(word & 0xFF)
    fields, spatial = fields_of(word, opcode), parameters.array.spatial_bits
    precision = table[fields["slot"]]
    widths = (precision.activation, precision.weight, precision.error)
    operand, partner = widths[fields["operand"]], widths[fields["partner"]]
    task: dict[str, Any] = {"index": index, "command": word}
    for prefix, bits in (("", operand), ("partner_", partner)):
        digits = -(-bits // spatial)
        task[f"{prefix}digits"] = digits
        task[f"{prefix}tail"] = bits - (digits - 1) * spatial if bits else None
    task["skip"] = int(opcode != Opcode.PATTERN and 0 in (operand, partner))
    return task
