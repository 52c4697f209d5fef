"""Checks for contradictory options of a run, before anything is read or compiled."""

from __future__ import annotations

from collections.abc import Iterator

from fractrain.host.accelerator import Accelerator, find_backend
from fractrain.host.networks.registry import check_model
from fractrain.host.numerics.quantization import WeightLevels
from fractrain.host.plugins.option import option_name
from fractrain.host.runs.options import RunOptions
from fractrain.hw.contract.errors import ParameterError

OF_INTEGERS = (
    *("chunk", "running_share", "inner_bits", "outer_bits", "residual_bits"),
    *("activation_range", "error_range"),
)
MACHINES = ("cosim", "board")
DEVICES_OF = {"torch": ("cpu", "cuda"), "board": ("local", "simulated")}


def check_options(given: RunOptions) -> None:
    """Raise `ParameterError` for the first option that contradicts another one."""
    check_model(given.model)
    for name, allowed in _contradictions(given):
        value = given.method_options.get(name, getattr(given, name, None))
        raise ParameterError(option_name(name), value, allowed)


def _contradictions(given: RunOptions) -> Iterator[tuple[str, str]]:
    """Wrong options, with allowed values."""
    if given.power is not None and given.backend != "board":
        yield "power", "with --backend board only: no other has sensors"
    if given.power is not None and given.device == "simulated":
        yield "power", "with --device local only: a simulated board has no watts to be measured"
    if given.overwrite and given.name is None:
        yield "overwrite", "together with --name only"
    if given.bn_group is not None and given.batch % given.bn_group:
        yield "bn_group", f"a divisor of --batch, which is {given.batch}"
    yield from _of_the_mode(given)
    yield from _of_the_backend(given)


def _of_the_mode(given: RunOptions) -> Iterator[tuple[str, str]]:
    if given.mode == "reference" and given.weight_levels is not None:
        yield "weight_levels", "with --mode hardware or float only"
    if given.mode != "float" and given.method_options.get("decide") == "late":
        yield "decide", f"early, or nothing, with --mode {given.mode}; float decides late"
    if given.mode == "hardware":
        if given.weight_levels == WeightLevels.ODD.value:
            yield "weight_levels", "max or clip with --mode hardware; float has odd levels"
        if given.bn_group is not None:
            yield "bn_group", "with --mode float or reference only; hardware mode has --chunk"
        return
    usual = RunOptions()
    for name in OF_INTEGERS:
        if getattr(given, name) != getattr(usual, name):
            yield name, "with --mode hardware only"


def _of_the_backend(given: RunOptions) -> Iterator[tuple[str, str]]:
    """Does not open the backend: that may take minutes, or need another machine."""
    backend = find_backend(given.backend)
    devices = DEVICES_OF.get(given.backend, ())
    if given.device is not None and given.device not in devices:
        yield "device", f"{' or '.join(devices) or 'none'} with --backend {given.backend}"
    if given.mode == "reference" and backend.real_convolutions is Accelerator.real_convolutions:
        yield (
            "mode",
            f"hardware or float with --backend {given.backend}: machines multiply integers",
        )
    if given.log_programs and given.backend not in MACHINES:
        yield "log_programs", f"with a backend that runs a machine: {' or '.join(MACHINES)}"
