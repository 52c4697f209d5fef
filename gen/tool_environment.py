"""The environment of other programs: chosen, where their results depend on it.

Compilers, simulators and synthesis obey dozens of variables (VERILATOR_BIN, CXXFLAGS, MAKEFLAGS,
OBJCACHE, YOWASP_MOUNT, COCOTB_TEST_FILTER, …). Results of this project must not depend on them, so
these programs get the variables listed here and no others.
"""

from __future__ import annotations

import os
from collections.abc import Mapping

__all__ = ["chosen_environment", "python_environment", "script_environment"]

KEPT = (
    *("PATH", "HOME", "USER", "LOGNAME", "TMPDIR", "TZ", "XDG_CACHE_HOME"),
    *("LD_LIBRARY_PATH", "LD_PRELOAD", "CCACHE_DIR", "CCACHE_CONFIGPATH", "CCACHE_DISABLE"),
    *("SYSTEMROOT", "YOWASP_CACHE_DIR", "FRACTRAIN_BUILD"),
)
"""Where programs and their caches are, and how they find their own libraries."""

KEPT_PREFIXES = ("NIX_",)
"""Variables of compilers that are scripts around others."""

FIXED = {"LC_ALL": "C", "AMARANTH_USE_YOSYS": "builtin"}
"""Messages are parsed, so they must not be translated; another Yosys writes another Verilog."""

PYTHON = ("PYTHONPATH", "PYTHONHOME", "PYTHONUSERBASE", "PYTHONNOUSERSITE", "VIRTUAL_ENV")
"""Where Python's packages are."""

DISTURBING = (
    *("MAKEFLAGS", "MFLAGS", "MAKELEVEL", "MAKEFILES", "CDPATH", "BASH_ENV", "ENV", "SHELLOPTS"),
    *("BASHOPTS", "GLOBIGNORE", "GREP_OPTIONS", "TAR_OPTIONS", "POSIXLY_CORRECT", "IFS"),
    *("PYTHONINSPECT", "PYTHONSTARTUP"),
)
"""Variables that change the meaning of scripts."""


def chosen_environment(settings: Mapping[str, str] | None = None) -> dict[str, str]:
    """For a program that makes something: of this process's environment `KEPT`, then `FIXED` and
    ``settings``."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if name in KEPT or name.startswith(KEPT_PREFIXES)
    }
    return kept | FIXED | dict(settings or {})


def python_environment(settings: Mapping[str, str] | None = None) -> dict[str, str]:
    """`chosen_environment` for a Python that must find the packages that this one finds.

    It reads names of folders in the locale's encoding, so that is UTF-8.
    """
    python = {name: os.environ[name] for name in PYTHON if name in os.environ}
    python["LC_ALL"] = "C.UTF-8"
    return chosen_environment(python | dict(settings or {}))


def script_environment(settings: Mapping[str, str] | None = None) -> dict[str, str]:
    """For tools with licences and installations of their own, such as Vivado: this process's
    environment without `DISTURBING`."""
    kept = {name: value for name, value in os.environ.items() if name not in DISTURBING}
    return kept | dict(settings or {})
