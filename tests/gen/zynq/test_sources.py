"""The files of the board's design: names, order, build hash, the same bytes each time."""

from __future__ import annotations

import re

from fractrain.gen.build_hash import build_hash, hash_register
from fractrain.gen.zynq.names import ACCELERATOR_NAME, BARE_NAME, WRAPPER_NAME
from fractrain.gen.zynq.sources import sources
from fractrain.hw.mac.flavour import Flavour
from tests.hw.machines import machine

TINY = machine()


def test_files() -> None:
    files = sources(TINY, Flavour.SIMULATION, bare=True)
    assert list(files) == [f"{name}.v" for name in (ACCELERATOR_NAME, WRAPPER_NAME, BARE_NAME)]
    for name, content in files.items():
        assert re.search(rf"^module {name.removesuffix('.v')}\b", content.decode(), re.MULTILINE)
    shown = hash_register(build_hash(TINY))
    assert f"32'd{shown}".encode() in files[f"{ACCELERATOR_NAME}.v"]
    assert sources(TINY, Flavour.SIMULATION, bare=True) == files
