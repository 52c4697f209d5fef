"""The machines that are meant where nobody says which."""

from __future__ import annotations

__all__ = ["USUAL_CONFIG", "WHOLE_STEP_CONFIG", "usual_config"]

USUAL_CONFIG = "tiny"
WHOLE_STEP_CONFIG = "tiny-vector"

_WHOLE_STEP_BACKENDS = "cosim", "board", "functional"
"""They take whole training steps in hardware mode, if the machine has a vector unit."""


def usual_config(backend: str, mode: str) -> str:
    """The default configuration of a run on ``backend``, unless a bitstream says which."""
    whole = backend in _WHOLE_STEP_BACKENDS and mode == "hardware"
    return WHOLE_STEP_CONFIG if whole else USUAL_CONFIG
