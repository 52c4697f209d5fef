"""What programs of others get of the environment."""

import pytest

from fractrain.gen.tool_environment import (
    chosen_environment,
    python_environment,
    script_environment,
)

ORDERS = (
    *("VERILATOR_BIN", "VERILATOR_ROOT", "VERILATOR_GDB", "CXX", "CXXFLAGS", "CPPFLAGS", "LDFLAGS"),
    *("MAKEFLAGS", "MAKELEVEL", "MAKEFILES", "OBJCACHE", "GCC_EXEC_PREFIX", "CPATH", "PERL5OPT"),
    *("YOWASP_MOUNT", "YOSYS_DATDIR", "COCOTB_TEST_FILTER", "COCOTB_LOG_LEVEL", "WAVES", "IFS"),
    *("PYTEST_CURRENT_TEST", "BASH_ENV", "ENV", "CDPATH", "GREP_OPTIONS", "LANG", "PYTHONINSPECT"),
)


@pytest.fixture(autouse=True)
def orders(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ORDERS:
        monkeypatch.setenv(name, "nonsense")
    for name in ("HOME", "CCACHE_DIR", "NIX_CFLAGS_COMPILE", "PYTHONPATH", "XILINXD_LICENSE_FILE"):
        monkeypatch.setenv(name, f"of {name}")


def test_no_order_reaches_what_makes_something() -> None:
    for environment in (chosen_environment(), python_environment()):
        assert not set(ORDERS) & set(environment)
        assert environment["AMARANTH_USE_YOSYS"] == "builtin"
    assert chosen_environment()["LC_ALL"] == "C"
    assert python_environment()["LC_ALL"] == "C.UTF-8"


def test_what_users_set_for_their_machine_does() -> None:
    for name in ("HOME", "CCACHE_DIR", "NIX_CFLAGS_COMPILE"):
        assert chosen_environment()[name] == f"of {name}"
    assert "PYTHONPATH" not in chosen_environment()
    assert python_environment()["PYTHONPATH"] == "of PYTHONPATH"
    assert chosen_environment({"HOME": "elsewhere"})["HOME"] == "elsewhere"


def test_licences_reach_scripts_and_what_disturbs_them_does_not() -> None:
    environment = script_environment({"CHIPDB": "there"})
    assert environment["XILINXD_LICENSE_FILE"] == "of XILINXD_LICENSE_FILE"
    assert environment["CHIPDB"] == "there"
    for name in ("MAKEFLAGS", "MAKELEVEL", "BASH_ENV", "CDPATH", "GREP_OPTIONS", "IFS"):
        assert name not in environment
