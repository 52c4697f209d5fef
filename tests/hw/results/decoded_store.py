"""What follows from the fields of a STORE, from the description of `store_task`; random STOREs."""

from random import Random
from typing import Any

from fractrain.hw.contract.commands import (
    ENGINE_SIGNAL,
    FIELDS,
    Format,
    Opcode,
    RowPixels,
    Stage,
    Store,
    Tag,
)
from fractrain.hw.contract.parameters import Parameters
from fractrain.hw.contract.precision import MAX_BITS, Operand
from fractrain.hw.results.gradient import GradientSum

COPIED = "gradient_address address tile_stride digit_stride shift signed signal tag".split()
COUNTS = {"tiles_x": "one_x", "tiles_y": "one_y", "images": "one_image"}


def decoded(parameters: Parameters, store: Store, index: int, skip: bool) -> dict[str, int]:
    """The members of `store_task`, from their description; ``beyond`` without a meaning, too."""
    planes, pixels = parameters.array.spatial_bits, parameters.array.rows
    width = {
        RowPixels.QUARTER: pixels // 4,
        RowPixels.HALF: pixels // 2,
        RowPixels.WHOLE: pixels,
    }[store.row_pixels]
    beats = parameters.beats_per_tile
    aligned = beats % GradientSum.LOOP_STEPS == 0
    kept = store.bits - store.signed
    return {
        **{name: int(getattr(store, name)) for name in COPIED},
        **{name: getattr(store, name) for name in COUNTS},
        **{one: skip or getattr(store, name) == 1 for name, one in COUNTS.items()},
        "index": index,
        "skip": skip,
        "port": store.format == Format.PORT and not skip,
        "raw": store.format in (Format.RAW32, Format.RAW48) and not skip,
        "raw48": store.format == Format.RAW48,
        "planes": store.format == Format.PLANES and not skip,
        "add": store.add and not skip,
        "keep": store.keep and not skip,
        "odd": not aligned or store.gradient_address % GradientSum.LOOP_STEPS != 0,
        "outside_x": sum((m % width >= store.valid_x) << m for m in range(pixels)),
        "outside_y": sum((m // width >= store.valid_y) << m for m in range(pixels)),
        "beyond": sum((bit >= kept) << bit for bit in range(MAX_BITS)),
        "top_plane": store.bits - 1,
        "blocks": -(-store.bits // planes) * planes,
    }


def random_store(draw: Random, **fixed: Any) -> Store:
    """Every field over all of its width, within the ranges that are not refused earlier."""
    fields = FIELDS[Opcode.STORE]
    values: dict[str, Any] = {
        name: draw.getrandbits(fields[name].width) for name in [*COPIED, "valid_x", "valid_y"]
    }
    values |= {
        name: draw.choice([1, 1, draw.randint(1, (1 << fields[name].width) - 1)]) for name in COUNTS
    }
    values |= {
        "signal": draw.randrange(1 << len(ENGINE_SIGNAL[Stage.RESULT])),
        "signed": bool(values["signed"]),
        "tag": Tag(values["tag"]),
        "add": draw.random() < 0.5,
        "keep": draw.random() < 0.5,
        "bits": draw.randint(1, MAX_BITS),
        "format": draw.choice(list(Format)),
        "row_pixels": draw.choice(list(RowPixels)),
    }
    return Store(slot=0, operand=Operand.ACTIVATION, partner=Operand.WEIGHT, **(values | fixed))
