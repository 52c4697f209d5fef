"""Names of the modules around the accelerator; each is in a file of its name."""

from __future__ import annotations

__all__ = ["ACCELERATOR_NAME", "BARE_NAME", "WRAPPER_NAME"]

ACCELERATOR_NAME = "fractrain_accelerator"
"""The machine itself, Amaranth's Verilog."""
WRAPPER_NAME = "fractrain_zynq"
"""The module beside the processing system in a block design."""
BARE_NAME = "fractrain_zynq_bare"
"""A top with a bare PS7, for flows without block designs."""
