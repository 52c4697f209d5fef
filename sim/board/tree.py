"""The plain files of a simulated board: what its sysfs and its /lib/firmware hold."""

from __future__ import annotations

import hashlib
from collections.abc import Collection
from pathlib import Path

from fractrain.gen.bitstream_manifest import (
    BITSTREAM_MANIFEST_NAME,
    BitstreamManifest,
    Slack,
    Utilization,
    output_name,
)
from fractrain.gen.build_hash import build_hash
from fractrain.gen.manifest import FileEntry
from fractrain.hw.contract.parameters import Parameters, load_parameters, preset_names
from fractrain.hw.contract.registers import REGISTERS_BYTES
from fractrain.hw.targets.target import Ports
from fractrain.sim.board.sensors import FILES

__all__ = ["FIRMWARE", "MANAGER", "PS_CLOCK", "UDMABUF", "UIO", "write_tree"]

UIO = "/sys/class/uio/uio0"
UDMABUF = "/sys/class/u-dma-buf/udmabuf-fractrain"
MANAGER = "/sys/class/fpga_manager/fpga0"
FIRMWARE = "/lib/firmware"
PS_CLOCK = "/proc/device-tree/axi/slcr@f8000000/clkc@100/ps-clk-frequency"
SYNC_WORD = bytes([0x66, 0x55, 0x99, 0xAA])


def write_tree(
    root: Path, parameters: Parameters, buffer: tuple[int, int], injected: Collection[str]
) -> None:
    """Write the files below ``root``; ``buffer``: physical address and bytes of the u-dma-buf."""
    files: dict[str, str | None] = dict.fromkeys(("/dev", "/run", FIRMWARE)) | FILES
    files |= (
        _uio(parameters.target.ports, injected) | _udmabuf(buffer, injected) | _manager(injected)
    )
    if "no-ps-clock" not in injected:
        place = root / PS_CLOCK.lstrip("/")
        place.parent.mkdir(parents=True)
        place.write_bytes(round(parameters.target.clocks.oscillator_mhz * 1e6).to_bytes(4, "big"))
    for path, text in files.items():
        place = root / path.lstrip("/")
        if text is None:
            place.mkdir(parents=True, exist_ok=True)
            continue
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text, encoding="utf-8")
    if "no-bitstream" not in injected:
        _install(root / FIRMWARE.lstrip("/") / "fractrain", parameters, injected)


def _uio(ports: Ports, injected: Collection[str]) -> dict[str, str | None]:
    if "no-uio" in injected:
        return {}
    return {
        f"{UIO}/name": "xadc\n" if "other-uio" in injected else "fractrain\n",
        f"{UIO}/maps/map0/addr": f"0x{ports.registers_address:08x}\n",
        f"{UIO}/maps/map0/size": f"0x{REGISTERS_BYTES:08x}\n",
        f"{UIO}/maps/map0/offset": "0x0\n",
    }


def _udmabuf(buffer: tuple[int, int], injected: Collection[str]) -> dict[str, str | None]:
    if "no-udmabuf" in injected:
        return {}
    return {
        f"{UDMABUF}/phys_addr": f"0x{buffer[0]:08x}\n",
        f"{UDMABUF}/size": f"{buffer[1]}\n",
        f"{UDMABUF}/sync_mode": "1\n",
        f"{UDMABUF}/dma_coherent": "0\n",
        f"{UDMABUF}/sync_for_cpu": "0\n",
        f"{UDMABUF}/sync_for_device": "0\n",
    }


def _manager(injected: Collection[str]) -> dict[str, str | None]:
    if "no-fpga-manager" in injected:
        return {}
    state = "operating" if "mainline" in injected else "unknown"
    common: dict[str, str | None] = {
        f"{MANAGER}/name": "Xilinx Zynq FPGA Manager\n",
        f"{MANAGER}/state": f"{state}\n",
    }
    if {"mainline", "mainline-empty"} & set(injected):
        return common
    return common | {f"{MANAGER}/firmware": "", f"{MANAGER}/flags": "0\n"}


def _install(folder: Path, parameters: Parameters, injected: Collection[str]) -> None:
    """A bitstream's folder, as `fractrain bitstream` publishes it; its .bin configures nothing."""
    digest = build_hash(parameters)
    content = b"\xff" * 32 + SYNC_WORD + bytes.fromhex(digest)
    name = output_name(parameters.target, ".bin")
    entry = FileEntry(name, hashlib.sha256(content).hexdigest(), len(content))
    manifest = BitstreamManifest(
        config=_name(parameters),
        build_hash=digest,
        parameters=parameters,
        clock_mhz=float(parameters.clock_mhz),
        flow="openxc7",
        tool="simulated board: RTL, no bitstream",
        utilization=Utilization(0, 0, 0, 0),
        slack_ns=Slack(None, None),
        files=(entry,),
    )
    folder.mkdir(parents=True)
    (folder / BITSTREAM_MANIFEST_NAME).write_text(manifest.to_json(), encoding="utf-8")
    if "damaged-bitstream" in injected:
        content = content[:-1]
    (folder / name).write_bytes(content)


def _name(parameters: Parameters) -> str:
    """The preset with these parameters."""
    names = (name for name in preset_names() if load_parameters(name) == parameters)
    return next(names, "custom")
