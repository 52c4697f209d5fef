"""Files that are no YAML, or YAML that can be meant in two ways, wherever one is read."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from tests.wrong_inputs.wrong_input import WrongInput

READERS = {
    "recipe": ["train", "--recipe", "f.yaml"],
    "sweep": ["sweep", "f.yaml"],
    "machine": ["cost", "--config", "f.yaml"],
    "budget": ["synth", "--config", "tiny", "--budget", "f.yaml"],
}

NO_YAML = {
    "nothing": ("", "f.yaml holds nothing, no keys with values: it takes "),
    "comments": ("# nothing\n\n", "holds nothing"),
    "null": ("~\n", "holds nothing"),
    "a list": ("- a: 1\n- b: 2\n", "holds a list"),
    "a word": ("just words\n", "holds one value"),
    "a number": ("3\n", "holds one value"),
    "open bracket": ("a: 1\nb: [1, 2\n", "not YAML: line [23]: .*expected ',' or '\\]'"),
    "open quote": ("a: 'x\n", "not YAML: line [12]: while scanning a quoted scalar"),
    "no key": ("a: b: c\n", "not YAML: line 1: mapping values are not allowed here"),
    "at sign": ("a: 1\nb: @x\n", "not YAML: line 2: .*'@'"),
    "tab": ("a:\n\tb: 1\n", "not YAML: line 2: a tab, where YAML takes spaces only"),
    "indentation": ("a: 1\n  b: 2\n", "not YAML: line 2: "),
    "control character": ("a: 1\nb: \x01\n", "not YAML: line 2 has the character U\\+0001"),
    "NUL": ("a: \x00\n", "line 1 has the character U\\+0000"),
    "several documents": ("a: 1\n---\nb: 2\n", "line 2: not read here: a further document"),
    "anchor": ("a: &x 1\nb: *x\n", "line 1: not read here: anchors"),
    "merge key": ("a: 1\n<<: {b: 1}\n", "line 2: not read here: merge keys"),
    "object": ("a: !!python/object/apply:os.system ['true']\n", "line 1: not read here: tags"),
    "string tag": ("a: !!str 1\n", "not read here: tags"),
    "unknown handle": ("a: !e!x 1\n", "not YAML: line 1: .*undefined tag handle"),
    "list for a key": ("? [a, b]\n: 1\n", "line 1: not read here: a key that is no word"),
    "deep": ("[" * 50_000, "more than 16 levels"),
    "deep mapping": ("a: " + "{a: " * 5_000, "more than 16 levels"),
    "billion laughs": (
        'a: &a ["x", "x"]\n' + "".join(f"{b}: &{b} [*{a}, *{a}]\n" for a, b in ("ab", "bc", "cd")),
        "line 1: not read here: anchors",
    ),
    "large": ("a: " + "x" * 3_000_000, "f.yaml has more than 256 KB"),
    "large list": ("a: [" + "1, " * 2_000_000, "more than 256 KB"),
}
BYTES = {
    "latin-1": ("a: café".encode("latin-1"), "not YAML in UTF-8: line 1 has the byte 0xe9"),
    "utf-16": ("a: 1\n".encode("utf-16"), "but UTF-16: save it as UTF-8"),
    "gzip": (b"\x1f\x8b\x08\x00abc", "not YAML in UTF-8: line 1 has the byte 0x8b"),
    "png": (b"\x89PNG\r\n\x1a\n", "line 1 has the byte 0x89"),
}
AMBIGUOUS = (
    *("010", "-07", "00", "0o17", "0x1F", "0b101", "1_000", "1_0.5", "1:30", "190:20:30.15"),
    *("yes", "No", "on", "OFF", "y", "n", ".inf", "-.inf", ".NaN", "1e400", "9" * 400),
)


def wrong_inputs() -> Iterator[WrongInput]:
    for reader, arguments in READERS.items():
        for name, (text, says) in NO_YAML.items():
            yield _file(f"{reader}: {name}", arguments, text.encode(), says, code=3)
        for name, (content, says) in BYTES.items():
            yield _file(f"{reader}: {name}", arguments, content, says, code=3)
        for text in AMBIGUOUS:
            content = f"# first\na:\n  - b: {text}\n".encode()
            says = r"a\[0\].b: got '.*allowed: .*\(line 3 of f.yaml\)"
            yield _file(f"{reader}: {text[:20]}", arguments, content, says, code=2)
        for name, text in (("", "a: 1\nb: 2\na: 3"), (" inside", "a: {b: 1, c: 2,\nb: 3}")):
            says = r"\w: got '\w', allowed: each key once; line 1 has it already \(line [23] of f.y"
            yield _file(f"{reader}: twice{name}", arguments, text.encode(), says, code=2)
        long = "k" * 1000
        yield _file(f"{reader}: long key", arguments, f"{long}: 1".encode(), "got 'kkkk", code=2)
        missing = "cannot read f.yaml: No such file"
        yield WrongInput(f"{reader}: missing", arguments, missing, code=3)
        yield WrongInput(
            f"{reader}: folder", arguments, "cannot read f.yaml: Is a directory", 3, _folder
        )


def _folder(folder: Path) -> None:
    (folder / "f.yaml").mkdir()


def _file(name: str, arguments: list[str], content: bytes, says: str, code: int) -> WrongInput:
    def prepare(folder: Path) -> None:
        (folder / "f.yaml").write_bytes(content)

    return WrongInput(name, arguments, says, code, prepare)
