"""A board of plain files, for the real `LinuxSystem`: nothing in it moves by itself."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

from fractrain.gen.build_hash import build_hash, hash_register
from fractrain.host.board.linux import LinuxSystem
from fractrain.hw.contract.parameters import load_parameters
from fractrain.hw.contract.registers import BUILD_HASH, ID, IDENTITY, IDLE, STATUS
from fractrain.sim.board.slcr import CLOCK, SHIFTERS, SLCR_ADDRESS, SLCR_BYTES
from fractrain.sim.board.tree import write_tree

TINY = load_parameters("tiny")
BUFFER = 0x1010_0000, 1 << 16
AT_200_MHZ = 30 << 12


def plain_board(root: Path, *injected: str) -> LinuxSystem:
    """Linux with a configured FPGA whose machine is idle, and FCLK0 at 200 MHz."""
    write_tree(root, TINY, BUFFER, injected)
    (root / "sys/class/fpga_manager/fpga0/state").write_text("operating\n")
    registers = np.zeros(1024, "<u4")
    registers[[ID.address, BUILD_HASH.address, STATUS.address]] = (
        IDENTITY,
        hash_register(build_hash(TINY)),
        IDLE.insert(1),
    )
    (root / "dev/uio0").write_bytes(registers.tobytes())
    (root / "dev/udmabuf-fractrain").write_bytes(bytes(BUFFER[1]))
    slcr = np.zeros(SLCR_BYTES // 4, "<u4")
    slcr[0x108 // 4], slcr[CLOCK // 4], slcr[SHIFTERS // 4] = AT_200_MHZ, 1 << 20 | 5 << 8, 0xF
    with (root / "dev/mem").open("wb") as memory:
        os.truncate(memory.fileno(), SLCR_ADDRESS)  # a hole
        memory.seek(SLCR_ADDRESS)
        memory.write(slcr.tobytes())
    return LinuxSystem(root, {})
