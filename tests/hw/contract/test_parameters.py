"""Configurations: presets pinned, and every kind of mistake named with its path."""

import dataclasses
from pathlib import Path

import pytest
import yaml

from fractrain.hw.contract.errors import DataError, ParameterError
from fractrain.hw.contract.parameters import (
    load_parameters,
    parse_parameters,
    preset_names,
)


def document(**changes: object) -> dict:
    """The tiny preset as a mapping, with changes such as ``block__channels=16``; None removes."""
    result = load_parameters("tiny").to_mapping()
    for path, value in changes.items():
        *sections, key = path.split("__")
        place = result
        for section in sections:
            place = place[section]
        if value is None:
            del place[key]
        else:
            place[key] = value
    return result


def test_presets() -> None:
    assert {"tiny", "zc706"} <= set(preset_names())
    zc706, tiny = load_parameters("zc706"), load_parameters("tiny")
    assert (zc706.array.rows, zc706.array.columns, zc706.array.lanes) == (32, 16, 144)
    assert zc706.bit_products_per_cycle == 73_728
    assert zc706.block_bytes == 64 and zc706.results_per_beat == 64 and zc706.lane_groups == 9
    assert (tiny.array.rows, tiny.block.channels, tiny.block_bytes) == (16, 8, 16)
    assert (tiny.array.columns, tiny.array.lanes, tiny.lane_groups) == (8, 72, 9)


OLDER = {"array__rows": 16, "array__lanes": 64, "precision__accumulator_bits": 48}
"""What configurations had when arrays were asked for."""


def test_older_files_hear_what_to_delete(tmp_path: Path) -> None:
    """All of it in one line, whatever value it has."""
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump(document(**OLDER)))
    wanted = (
        r"array\.rows: got 16, allowed: nothing, as it is always 2 \* block\.channels "
        r"\(array\.rows in .*mine\.yaml\); "
        r"delete array\.rows, array\.lanes, precision\.accumulator_bits$"
    )
    with pytest.raises(ParameterError, match=wanted):
        load_parameters(tmp_path / "mine.yaml")
    for path, value in OLDER.items():
        with pytest.raises(ParameterError, match=rf"delete {path.replace('__', '.')}$"):
            parse_parameters(document(**{path: value}))


def test_the_array_follows_from_the_rest() -> None:
    machine = parse_parameters(document(block__channels=16, precision__max_bits=8))
    array = machine.array
    assert (array.rows, array.columns, array.lanes, array.max_bits) == (32, 16, 144, 8)
    assert not {"rows", "columns", "lanes", "max_bits"} & machine.to_mapping()["array"].keys()
    assert parse_parameters(machine.to_mapping()) == machine


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"rows": 32}, r"array\.rows: got 32, allowed: 16, which is 2 \* block\.channels"),
        ({"columns": 16}, r"array\.columns: got 16, allowed: 8, which is block\.channels"),
        ({"lanes": 80}, r"array\.lanes: got 80, allowed: 72, which is 9 \* block\.channels"),
        ({"max_bits": 8}, r"array\.max_bits: got 8, allowed: 16, which is precision\.max_bits"),
    ],
)
def test_no_machine_has_another_array(changes: dict, message: str) -> None:
    tiny = load_parameters("tiny")
    array = dataclasses.replace(tiny.array, **changes)
    with pytest.raises(ParameterError, match=message):
        dataclasses.replace(tiny, array=array)


CLOCK = r"clock_mhz: got .*, allowed: a number, at least 1, at most 1000 \(clock_mhz in"


def test_a_file_is_read_like_a_preset(tmp_path: Path) -> None:
    preset = Path("configs/tiny.yaml").read_text()
    (tmp_path / "mine.yaml").write_text(preset)
    assert load_parameters(tmp_path / "mine.yaml") == load_parameters("tiny")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"array__cluster_rows": 0}, r"cluster_rows: got 0, allowed: a whole number, 1\.\.16"),
        ({"array__cluster_rows": "8"}, r"array\.cluster_rows: got '8'"),
        ({"array__cluster_rows": True}, r"array\.cluster_rows: got True"),
        *(
            ({"block__channels": wrong}, r"block\.channels: got .*, allowed: 8 or 16 \(block")
            for wrong in (4, 24, 32, 8.0, "8")
        ),
        ({"array__spatial_bits": 3}, r"array\.spatial_bits: got 3, allowed: 1 or 2 or 4 or 8"),
        ({"array__spatial_bits": True}, r"array\.spatial_bits: got True"),
        ({"array__spatial_bits": 2.0}, r"array\.spatial_bits: got 2\.0"),
        ({"array__dot": "luts"}, r"array\.dot: got 'luts', allowed: lut6 or inferred"),
        (
            {"array__speed": 1},
            r"unknown key: got 'speed', allowed: spatial.*array in here",
        ),
        *(
            (
                {"clock_mhz": wrong},
                r"clock_mhz: got .*: a number, at least 1, at most 1000",
            )
            for wrong in ("200", True, 0.999, 1000.5, float("nan"), float("inf"), [200])
        ),
        ({"clock_mhz": None}, r"missing key: got 'clock_mhz'.*top level in here"),
        ({"array": 5}, r"array: got 5, allowed: a mapping with spatial_bits"),
        ({"array__cluster_rows": 3}, r"array\.rows: got 16, allowed: a multiple of .*cluster_row"),
        ({"array__cluster_columns": 3}, r"array\.columns: got 8, allowed: a multiple"),
        ({"buffers__column_words": 31}, r"buffers\.column_words: got 31, allowed: at least 32"),
        ({"precision__max_bits": 15, "array__spatial_bits": 2}, r"precision\.max_bits: got 15"),
    ],
)
def test_mistakes_are_named(changes: dict, message: str) -> None:
    with pytest.raises(ParameterError, match=message):
        parse_parameters(document(**changes), source="here")


def accepted(**changes: object) -> bool:
    try:
        parse_parameters(document(**changes), source="here")
    except ParameterError:
        return False
    return True


@pytest.mark.parametrize(
    ("path", "low", "high", "others"),
    [
        ("precision__slots", 1, 256, {}),
        ("queues__commands", 2, 256, {}),
        ("queues__result_tiles", 2, 64, {}),
        ("memory__ports", 1, 4, {}),
        ("memory__outstanding", 1, 16, {}),
        ("clock_mhz", 1, 1000, {}),
        ("buffers__patterns", 16, 128, {}),
        ("buffers__column_words", 32, 65536, {}),
        ("buffers__column_words", 4, 65536, {"precision__max_bits": 1}),
        ("buffers__plane_words", 18 * 16, 65536, {}),
        ("buffers__plane_words", 18 * 2, 65536, {"array__spatial_bits": 8}),
        ("buffers__plane_words", 18, 65536, {"precision__max_bits": 1}),
        ("buffers__gradient_words", 4, 65536, {}),
        ("buffers__gradient_words", 1, 65536, {"array__cluster_columns": 1}),
    ],
)
def test_bounds_themselves_are_allowed(path: str, low: int, high: int, others: dict) -> None:
    for value, allowed in ((low - 1, False), (low, True), (high, True), (high + 1, False)):
        assert accepted(**{path: value, **others}) is allowed, value


def test_a_clock_need_not_be_a_whole_number() -> None:
    assert parse_parameters(document(clock_mhz=166.667)).clock_mhz == 166.667
    whole = parse_parameters(document(clock_mhz=200.0))
    assert type(whole.clock_mhz) is int
    assert whole == load_parameters("tiny")


@pytest.mark.parametrize("text", ["a: [", "\x00", "key: @"])
def test_broken_yaml_names_the_file(tmp_path: Path, text: str) -> None:
    (tmp_path / "broken.yaml").write_text(text)
    with pytest.raises(DataError, match=r"broken\.yaml is not YAML: line 1"):
        load_parameters(tmp_path / "broken.yaml")


def test_an_empty_file_says_what_is_expected(tmp_path: Path) -> None:
    (tmp_path / "empty.yaml").write_text("")
    with pytest.raises(DataError, match="empty.yaml holds nothing.*: it takes array, block"):
        load_parameters(tmp_path / "empty.yaml")


def test_a_missing_file_names_the_presets(tmp_path: Path) -> None:
    for path in ("zc707", tmp_path, tmp_path / "none.yaml"):
        with pytest.raises(DataError, match="presets: .*tiny.*zc706"):
            load_parameters(path)


def test_binary_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "image.yaml").write_bytes(bytes(range(128, 256)))
    with pytest.raises(DataError, match="not YAML in UTF-8: line 1 has the byte 0x80"):
        load_parameters(tmp_path / "image.yaml")
