"""The results of a run, as `fractrain train` prints them."""

from __future__ import annotations

from typing import Any

from fractrain.host.reports.units import COUNTS, JOULES, SECONDS
from fractrain.hw.contract.tables import terminal_table


def results(summary: dict[str, Any]) -> str:
    """Accuracy, stages, time and fingerprint, one in a line."""
    stages = [_describe(stage) for stage in summary["stages"]]
    rows = {
        "test accuracy": f"{summary['test_accuracy']:.2f} % of {summary['test_images']} images",
        "stages visited": "\n".join([f"{len(stages)} of {summary['stages_planned']}:", *stages]),
        "time": f"{SECONDS.text(summary['seconds']['training'])} for {summary['steps']:,} steps",
        "weights SHA-256": f"{summary['weights_sha256'][:16]}…",
    }
    if measured := summary["measured"]:
        busy = 100 * measured["busy_cycles"] / measured["cycles"]
        each = SECONDS.text(measured["seconds"] / measured["steps"])
        rows[measured["of"]] = (
            f"{measured['cycles']:,} for {measured['steps']} steps (measured), "
            f"array busy in {busy:.1f} %\n"
            f"{each} a step at {measured['clock_hz'] / 1e6:g} MHz: {_by_pass(measured)}"
        )
    return "\n".join(
        f"  {name if first else '':<16}  {line}"
        for name, value in rows.items()
        for first, line in zip((True, *[False] * value.count("\n")), value.split("\n"), strict=True)
    )


def _by_pass(measured: dict[str, Any]) -> str:
    """Shares of the cycles, for example ``forward 30 %, error 30 %, gradient 38 %, other 2 %``."""
    return ", ".join(
        f"{name} {100 * counters['cycles'] / measured['cycles']:.0f} %"
        for name, counters in measured["passes"].items()
    )


def savings(summary: dict[str, Any]) -> str:
    """The run against the same steps at FW8/BW8: effective MACs, modelled latency and energy."""
    figures = [("effective MACs, computed", "effective_macs", COUNTS, summary)]
    if modelled := summary["modelled"]:
        machine = modelled["config"].upper()
        figures += [
            (f"{machine} latency, modelled", "seconds", SECONDS, modelled),
            (f"{machine} energy, modelled", "joules", JOULES, modelled),
        ]
    rows = []
    for name, key, units, values in figures:
        chosen, baseline = values[key], values[f"{key}_fw8bw8"]
        saved = 100 * (1 - chosen / baseline)
        scale = units.scale((chosen, baseline))
        rows.append((name, scale.text(chosen), scale.text(baseline), f"{saved:.1f} %"))
    heads = ("convolutions of training", "this run", "FW8/BW8", "saved")
    return terminal_table(heads, rows, indent="  ")


def _describe(stage: dict[str, Any]) -> str:
    return f"{_value(stage)} from step {stage['first_step']}, after {stage['first_epoch']} epochs"


def _value(stage: dict[str, Any]) -> str:
    """A method's description of a stage."""
    if "target_cp" in stage:
        return f"cp {stage['target_cp']:g} % aimed at"
    if "activation" in stage:
        return f"{stage['activation']}/{stage['weight']}/{stage['error']} bits a/w/e"
    others = [each for each in stage if each not in ("first_step", "first_epoch")]
    return ", ".join(f"{name} {stage[name]}" for name in others) or "one stage"
