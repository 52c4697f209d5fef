"""Registries: what stands in the modules of a package, and what was registered."""

import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from fractrain.host.plugins.registry import Registry
from fractrain.hw.contract.errors import ParameterError


@dataclass(frozen=True)
class Thing:
    name: str
    rank: int = 0


@pytest.fixture
def things(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Registry[Thing]:
    """Of a package in which two of three modules have a thing."""
    package = tmp_path / "package_of_things"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "shared.py").write_text("THINGS = 3\n")
    head = f"from {__name__} import Thing\n"
    for name, rank in (("late", 2), ("early", 1)):
        (package / f"{name}.py").write_text(f"{head}THING = Thing({name!r}, {rank})\n")
    for module in [each for each in sys.modules if each.startswith("package_of_things")]:
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setitem(sys.modules, __name__, sys.modules[__name__])
    return Registry("package_of_things", "THING", "thing", order=lambda thing: thing.rank)


def test_modules_are_found(things: Registry[Thing]) -> None:
    assert things.names == ("early", "late")
    assert things.find("late") == Thing("late", 2)
    with pytest.raises(ParameterError, match="thing: got 'lat', allowed: early, late; did you mea"):
        things.find("lat")


def test_others_are_registered(things: Registry[Thing]) -> None:
    things.register(Thing("between", 1))
    assert things.names == ("early", "between", "late")
    with pytest.raises(ParameterError, match="got 'early', allowed: a name that is not taken"):
        things.register(Thing("early"))
    things.unregister("between")
    assert things.names == ("early", "late")


def test_a_failed_import_leaves_nothing_behind(things: Registry[Thing], tmp_path: Path) -> None:
    """Asked again it fails again, and all are there once the module can be imported."""
    broken = tmp_path / "package_of_things" / "in_between.py"
    broken.write_text("raise OSError('broken')\n")
    for _ in range(2):
        with pytest.raises(OSError, match="broken"):
            things.find("early")
    broken.unlink()
    assert things.names == ("early", "late")
