"""YAML files: read as people mean them, or refused with the line and the remedy."""

import fcntl
import os
import struct
import termios
import threading
import time
from pathlib import Path

import pytest

from fractrain.hw.contract.errors import DataError, ParameterError
from fractrain.hw.contract.yaml_files import DEEPEST, LARGEST_BYTES, parse_yaml, read_yaml


def parse(text: str) -> dict:
    return parse_yaml(text.encode(), source="f.yaml", takes="keys")


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("5", 5),
        ("+5", 5),
        ("-0", 0),
        ("1.", 1.0),
        (".5", 0.5),
        ("1e-3", 1e-3),
        ("1E3", 1000.0),
        ("-1.5e+3", -1500.0),
        ("true", True),
        ("False", False),
        ("~", None),
        ("", None),
        ("null", None),
        ("'yes'", "yes"),
        ('"010"', "010"),
        ("a/b", "a/b"),
        ("2026-11-30", "2026-11-30"),
        ("1e", "1e"),
        ("inf", "inf"),
        ("1.2.3", "1.2.3"),
        ("tcp://host:8786", "tcp://host:8786"),
        ("[1, [2, 3e0], {b: c}]", [1, [2, 3.0], {"b": "c"}]),
        ("|\n  010\n", "010\n"),
    ],
)
def test_what_a_value_means(text: str, value: object) -> None:
    (found,) = parse(f"a: {text}").values()
    assert found == value and type(found) is type(value)


@pytest.mark.parametrize(
    ("text", "instead"),
    [
        ("010", "without leading zeros: YAML 1.1 reads octal"),
        ("-08.5", "without leading zeros"),
        ("0o10", "a decimal number"),
        ("0x1F", "a decimal number"),
        ("0b1", "a decimal number"),
        ("1_000", "a number without _"),
        ("1_0.2_5", "a number without _"),
        ("12:30:45", "base 60"),
        ("1:30.5", "base 60"),
        ("yes", "true or false"),
        ("Off", "true or false"),
        ("N", "true or false"),
        ("-.Inf", "a finite number"),
        (".nan", "a finite number"),
        ("1e999", "that a float64 holds"),
        ("1" * 41, "that a float64 holds"),
    ],
)
def test_what_is_read_in_two_ways_is_refused(text: str, instead: str) -> None:
    with pytest.raises(ParameterError, match=r"a\.b\[1\]: got .*line 3 of f\.yaml") as refusal:
        parse(f"# comment\na:\n  b: [0, {text}]\n")
    assert instead in str(refusal.value)
    assert parse(f"a: '{text}'") == {"a": text}


def test_a_key_stands_once_in_its_mapping() -> None:
    assert parse("a: {b: 1}\nb: 1") == {"a": {"b": 1}, "b": 1}
    with pytest.raises(ParameterError, match=r"a\.b: got 'b', .*line 2 has it .*line 4 of f"):
        parse("a:\n  b: 1\n  c: 2\n  'b': 3\n")


def test_keys_are_words_as_they_are_written() -> None:
    assert parse("1: a\nyes: b\n010: c\n'': d") == {"1": "a", "yes": "b", "010": "c", "": "d"}


def test_depth_and_size_have_limits() -> None:
    deep = "[" * (DEEPEST - 1) + "]" * (DEEPEST - 1)
    assert parse(f"a: {deep}")
    with pytest.raises(DataError, match=f"line 1: not read here: more than {DEEPEST} levels"):
        parse(f"a: [{deep}]")
    line = b"a: 1 #"
    assert parse_yaml(line.ljust(LARGEST_BYTES, b"x"), source="f", takes="keys") == {"a": 1}
    with pytest.raises(DataError, match="f has more than 256 KB"):
        parse_yaml(line.ljust(LARGEST_BYTES + 1, b"x"), source="f", takes="keys")


def test_what_editors_put_in_is_read() -> None:
    assert parse("\ufeffa: 1\r\nb: é # comment\r\n...\r\n") == {"a": 1, "b": "é"}
    assert parse("%YAML 1.2\n---\na: 1\n") == {"a": 1}


def test_an_error_is_one_line_with_the_file_s_name(tmp_path: Path) -> None:
    path = tmp_path / "f.yaml"
    path.write_text("a:\n  - 1\n - 2\n")
    with pytest.raises(DataError) as refusal:
        read_yaml(path, source="the file", takes="keys")
    assert str(refusal.value).startswith("the file is not YAML: line 3: ")
    assert "\n" not in str(refusal.value) and "unicode string" not in str(refusal.value)


def test_a_pipe_is_read_and_one_without_a_writer_is_empty(tmp_path: Path) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    with pytest.raises(DataError, match="pipe holds nothing"):
        read_yaml(path, source="pipe", takes="keys")
    keeper = os.open(path, os.O_RDWR)  # as a shell's <(command): somebody will write

    def write() -> None:
        os.write(keeper, b"a: 1\n")
        while struct.unpack("i", fcntl.ioctl(keeper, termios.FIONREAD, bytes(4)))[0]:
            time.sleep(0.01)  # what nobody has read is lost when the last one closes the pipe
        os.close(keeper)

    writer = threading.Thread(target=write)
    writer.start()
    assert read_yaml(path, source="pipe", takes="keys") == {"a": 1}
    writer.join()
