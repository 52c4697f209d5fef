"""Records: what goes in comes out, nothing overlaps, nothing is cut to fit."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fractrain.hw.contract.errors import ParameterError
from fractrain.hw.contract.records import (
    RECORD_BITS,
    RECORD_BYTES,
    RECORDS,
    Record,
    clip_shift,
    pack_records,
    unpack_records,
)


def values(record: Record) -> st.SearchStrategy[dict[str, list[int]]]:
    fields = RECORDS[record]

    def lists(count: int) -> st.SearchStrategy[dict[str, list[int]]]:
        return st.fixed_dictionaries(
            {
                name: st.lists(
                    st.sampled_from([each.least, each.greatest])
                    | st.integers(each.least, each.greatest),
                    min_size=count,
                    max_size=count,
                )
                for name, each in fields.items()
            }
        )

    return st.integers(1, 3).flatmap(lists)


@pytest.mark.parametrize("record", Record)
def test_what_goes_in_comes_out(record: Record) -> None:
    """And each field is where `RECORDS` has it, with nothing beside."""

    @given(values(record))
    def check(given: dict[str, list[int]]) -> None:
        data = pack_records(record, given)
        found = unpack_records(record, data)
        assert {name: each.tolist() for name, each in found.items()} == given
        for number, each in enumerate(data):
            word = int.from_bytes(each.tobytes(), "little")
            fields = RECORDS[record].items()
            assert word == sum(field.insert(given[name][number]) for name, field in fields)

    check()


@pytest.mark.parametrize("record", Record)
def test_fields_do_not_overlap(record: Record) -> None:
    places = RECORDS[record].values()
    bits = [bit for each in places for bit in range(each.offset, each.offset + each.width)]
    assert len(bits) == len(set(bits)) and max(bits) < RECORD_BITS


def test_words_are_pinned() -> None:
    """Hosts and bitstreams of different dates must agree."""
    norm = {"factor": -1, "offset": 5, "gain": -131072, "running_mean": 7, "running_variance": 9}
    word = 0x3FFFF | 5 << 18 | 0x20000 << 48 | 7 << 66 | 9 << 86
    assert bytes(pack_records(Record.NORM, norm)[0]) == word.to_bytes(RECORD_BYTES, "little")
    scale = {"narrow_shift": -13, "before": 9, "mantissa": 65536, "shift": 20, "stream_shift": -1}
    scale |= {"residual_factor": -2, "gain_shift": 62}
    word = (-13 & 127) | 9 << 7 | 65536 << 13 | 20 << 30 | 127 << 37 | 0x3FFFE << 44 | 62 << 62
    assert bytes(pack_records(Record.SCALE, scale)[0]) == word.to_bytes(RECORD_BYTES, "little")


def test_missing_fields_are_zero_and_single_values_are_those_of_all() -> None:
    found = unpack_records(
        Record.CHUNK, pack_records(Record.CHUNK, {"mean": np.arange(3), "reciprocal": 4})
    )
    assert found["mean"].tolist() == [0, 1, 2] and found["reciprocal"].tolist() == [4, 4, 4]
    assert not found["slope"].any()


@pytest.mark.parametrize("record", Record)
def test_what_does_not_fit_is_refused(record: Record) -> None:
    for name, field in RECORDS[record].items():
        for value in (field.least - 1, field.greatest + 1):
            wrong: dict[str, Any] = {name: [0, value]}
            with pytest.raises(
                ParameterError, match=rf"{record.name}\.{name}: got {value}, allowed"
            ):
                pack_records(record, wrong)
    with pytest.raises(ParameterError, match="got 'bias'"):
        pack_records(record, {"bias": 1})


def test_shifts_are_clipped_to_their_field() -> None:
    assert [clip_shift(each) for each in (-200, -64, -13, 0, 63, 64, 300)] == [
        *(-64, -64, -13, 0, 63, 63, 63)
    ]
