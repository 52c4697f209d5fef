"""The device tree of the board: compiled by dtc, merged with a base, read back by fdtget."""

import subprocess
from pathlib import Path

import pytest

from fractrain.hw.contract.parameters import load_parameters
from fractrain.hw.contract.registers import REGISTERS_BYTES
from fractrain.hw.targets.registry import targets

BOARDS = Path(__file__).parents[2] / "board"
FAMILY = BOARDS / "zynq"
PRESETS = {"zc706": "zc706", "zedboard": "z7020"}
"""Target → the preset that is made for it."""
BASE = Path(__file__).with_name("zynq_base.dts")
NODE = "/axi/fractrain@40000000"
CLOCKS = "/axi/slcr@f8000000/clkc@100"
BUFFER = "/udmabuf-fractrain"

IRQ_F2P_0 = 61
"""Number of the interrupt in the GIC; shared peripheral interrupts start at 32 (Zynq-7000 TRM,
UG585, table of PS interrupts)."""


def run(*command: str | Path) -> str:
    """What a tool prints; any warning of it fails the test."""
    result = subprocess.run([*map(str, command)], capture_output=True, text=True, timeout=60)
    assert result.returncode == 0, result.stderr
    assert result.stderr == ""
    return result.stdout


def compiled(source: Path, target: Path) -> Path:
    run("dtc", "-@", "-I", "dts", "-O", "dtb", "-o", target, source)
    return target


def test_every_target_has_its_files() -> None:
    assert PRESETS.keys() == targets().keys()
    found = {each.parent.name for each in BOARDS.glob("*/fractrain-overlay.dts")}
    assert found == targets().keys()
    for name, preset in PRESETS.items():
        assert load_parameters(preset).target is targets()[name]


@pytest.fixture(scope="module", params=sorted(PRESETS))
def target(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def merged(target: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The base with the target's overlay merged into it."""
    folder = tmp_path_factory.mktemp("tree")
    base = compiled(BASE, folder / "base.dtb")
    overlay = compiled(BOARDS / target / "fractrain-overlay.dts", folder / "fractrain.dtbo")
    run("fdtoverlay", "-i", base, "-o", folder / "merged.dtb", overlay)
    return folder / "merged.dtb"


def cells(tree: Path, node: str, name: str) -> list[int]:
    return [int(each, 16) for each in run("fdtget", "-t", "x", tree, node, name).split()]


def text(tree: Path, node: str, name: str) -> str:
    return run("fdtget", "-t", "s", tree, node, name).strip()


def test_registers_are_the_window_of_gp0(merged: Path, target: str) -> None:
    address, size = cells(merged, NODE, "reg")
    assert address == 0x4000_0000 == targets()[target].ports.registers_address
    assert size == REGISTERS_BYTES


def test_interrupt_is_that_of_the_fabric(merged: Path, target: str) -> None:
    shared, number, trigger = cells(merged, NODE, "interrupts")
    assert (shared, number, trigger) == (0, IRQ_F2P_0 - 32, 4)
    assert number == targets()[target].ports.interrupt
    controller = cells(merged, "/axi/interrupt-controller@f8f01000", "phandle")
    assert cells(merged, NODE, "interrupt-parent") == controller


def test_uio_takes_it_under_its_name(merged: Path) -> None:
    compatible = text(merged, NODE, "compatible")
    assert text(merged, NODE, "linux,uio-name") == "fractrain"
    # Kernels that do not know the property take the name of the node.
    assert NODE.rpartition("/")[2].partition("@")[0] == "fractrain"
    options = (FAMILY / "modprobe.conf").read_text(encoding="utf-8")
    assert f"options uio_pdrv_genirq of_id={compatible}\n" in options
    arguments = (FAMILY / "bootargs.txt").read_text(encoding="utf-8")
    assert f"uio_pdrv_genirq.of_id={compatible}" in arguments.split()


def test_clock_is_held_at_the_rate_of_the_configuration(merged: Path, target: str) -> None:
    assert cells(merged, CLOCKS, "fclk-enable") == [1]
    controller, index = cells(merged, NODE, "assigned-clocks")
    assert [controller] == cells(merged, CLOCKS, "phandle")
    assert text(merged, CLOCKS, "clock-output-names").split(" ")[index] == "fclk0"
    rate = load_parameters(PRESETS[target]).clock_mhz * 1e6
    assert cells(merged, NODE, "assigned-clock-rates") == [rate]


def test_buffer(merged: Path) -> None:
    assert text(merged, BUFFER, "compatible") == "ikwzm,u-dma-buf"
    assert text(merged, BUFFER, "device-name") == "udmabuf-fractrain"
    assert cells(merged, BUFFER, "size") == [64 << 20]
    assert cells(merged, BUFFER, "sync-mode") == [1]


def test_cma_holds_the_buffer(merged: Path) -> None:
    (size,) = cells(merged, BUFFER, "size")
    arguments = (FAMILY / "bootargs.txt").read_text(encoding="utf-8").split()
    (cma,) = (each for each in arguments if each.startswith("cma="))
    assert cma.endswith("M")
    # Network and SD card allocate from it, too.
    assert int(cma.removeprefix("cma=").removesuffix("M")) << 20 >= size + (32 << 20)


def test_rest_of_the_base_stays(merged: Path) -> None:
    assert text(merged, CLOCKS, "compatible") == "xlnx,ps7-clkc"
    assert cells(merged, "/axi", "#address-cells") == cells(merged, "/axi", "#size-cells") == [1]


def test_included_it_is_the_same_tree(merged: Path, target: str, tmp_path: Path) -> None:
    source = tmp_path / "board.dts"
    fragment = BOARDS / target / "fractrain.dtsi"
    source.write_text(f'{BASE.read_text(encoding="utf-8")}\n/include/ "{fragment}"\n')
    included = compiled(source, tmp_path / "board.dtb")
    trees = [run("dtc", "-s", "-I", "dtb", "-O", "dts", each) for each in (included, merged)]
    assert trees[0] == trees[1]


def test_a_base_without_the_labels_is_refused(tmp_path: Path) -> None:
    base = tmp_path / "base.dtb"
    run("dtc", "-I", "dts", "-O", "dtb", "-o", base, BASE)
    overlay = compiled(BOARDS / "zc706" / "fractrain-overlay.dts", tmp_path / "fractrain.dtbo")
    result = subprocess.run(
        ["fdtoverlay", "-i", base, "-o", tmp_path / "merged.dtb", overlay],
        capture_output=True,
        text=True,
    )
    assert result.returncode != 0


def test_boot_script_has_the_kernel_arguments() -> None:
    arguments = (FAMILY / "bootargs.txt").read_text(encoding="utf-8").strip()
    script = (FAMILY / "boot.cmd").read_text(encoding="utf-8")
    assert f'setenv bootargs "{arguments}"\n' in script


def test_kernel_configuration_is_complete_and_said_once() -> None:
    """What the device tree and the driver cannot do without."""
    files = [BOARDS / folder / "kernel.config" for folder in ("zynq", "zc706")]
    lines = [line for file in files for line in file.read_text(encoding="utf-8").splitlines()]
    options = [each for each in lines if each.startswith("CONFIG_")]
    names = [each.partition("=")[0] for each in options]
    assert len(set(names)) == len(names)
    needed = {
        *("ARCH_ZYNQ", "UIO_PDRV_GENIRQ", "DMA_CMA", "FPGA_MGR_ZYNQ_FPGA", "DEVMEM"),
        *("SENSORS_UCD9000", "I2C_CADENCE", "I2C_MUX_PCA954x"),
    }
    assert {f"CONFIG_{each}" for each in needed} <= set(names)
    assert all(each.endswith(("=y", "=m")) for each in options)
