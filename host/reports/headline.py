"""The result in one sentence: savings at an accuracy, or what one run reached."""

from __future__ import annotations

from collections.abc import Sequence

from fractrain.host.reports.names import cut
from fractrain.host.reports.quantities import (
    EFFECTIVE_MACS,
    MODELLED_ENERGY,
    MODELLED_TIME,
    Costs,
    Quantity,
    percent,
)
from fractrain.host.reports.run import Run
from fractrain.host.reports.savings import EqualAccuracy, Reached, at_equal_accuracy

MODELLED = (MODELLED_TIME, MODELLED_ENERGY)


def headline(runs: Sequence[Run]) -> str:
    """The sentence on top of the page and of the terminal."""
    if len(runs) == 1:
        return _of_one(runs[0])
    tested = [run for run in runs if run.evaluations]
    if not tested:
        return f"None of {len(runs)} runs has been evaluated yet."
    comparisons = at_equal_accuracy(runs)
    if len({run.task for run in tested}) > 1:
        return _of_several_tasks(tested)
    if comparisons and comparisons[0].reference is not None:
        return _at_equal_accuracy(comparisons[0], comparisons[0].reference)
    return _at_equal_steps(tested)


def _of_one(run: Run) -> str:
    done = _done(run)
    if not run.steps_done:
        return f"{_name(run)} has not done a step yet."
    if run.best is None or run.last is None:
        return f"{_name(run)} has done {done} and has not been evaluated yet."
    best, last = run.best.test_accuracy, run.last.test_accuracy
    so_far = "" if run.summary is not None else f"So far, with {done} done, "
    reached = f"{so_far}{_name(run)} reached {best:.2f} % test accuracy in "
    if best == last:
        reached += _steps(run.last.step)
    else:
        reached += f"{_steps(run.best.step)} ({last:.2f} % after {_steps(run.last.step)})"
    costs = run.totals
    if run.is_static_8bit:
        return f"{reached}, all at 8 bits{_amounts(costs)}."
    saved = _less(costs)
    return f"{reached} with {saved} than the same steps at 8 bits." if saved else f"{reached}."


def _at_equal_accuracy(comparison: EqualAccuracy, reference: Reached) -> str:
    """The run that saved most against the static one, up to the same accuracy."""
    others = [entry for entry in comparison.entries if entry is not reference]
    best = max(others, key=lambda each: comparison.saving(each, EFFECTIVE_MACS) or 0.0)
    target = f"{comparison.target:.2f} % test accuracy"
    if (comparison.saving(best, EFFECTIVE_MACS) or 0.0) <= 0:
        return f"No run came to {target} with fewer effective MACs than {_name(reference.run)}."
    needed = _fewer(comparison.saving(best, EFFECTIVE_MACS) or 0.0)
    time = comparison.saving(best, MODELLED_TIME)
    if time is not None and time > 0:
        needed += f" and {percent(time)} less FPGA time (modelled)"
    return (
        f"{_name(best.run)} needed {needed} than {_name(reference.run)} to reach {target}; "
        f"at their best they reach {_best(best.run)} and {_best(reference.run)}."
    )


def _at_equal_steps(runs: Sequence[Run]) -> str:
    """No static run to hold the others against: each against its own steps at 8 bits."""
    most_accurate = max(runs, key=_accuracy)
    saving = {run.name: _saving(run, EFFECTIVE_MACS) or 0.0 for run in runs}
    thriftiest = max(runs, key=lambda run: saving[run.name])
    text = f"{_name(most_accurate)} reached the highest test accuracy, {_best(most_accurate)}"
    if saving[most_accurate.name] > 0:
        text += f", with {_less(most_accurate.totals)} than the same steps at 8 bits"
    if thriftiest is not most_accurate and saving[thriftiest.name] > 0:
        text += (
            f"; {_name(thriftiest)} saved most, {percent(saving[thriftiest.name])} of the "
            f"effective MACs, at {_best(thriftiest)}"
        )
    return text + "."


def _of_several_tasks(runs: Sequence[Run]) -> str:
    found = [each for each in (_saving(run, EFFECTIVE_MACS) for run in runs) if each is not None]
    tasks = len({run.task for run in runs})
    text = f"{len(runs)} runs of {tasks} tasks; accuracies compare only within one"
    if not found:
        return f"{text}."
    return (
        f"{text}. They saved {percent(min(found))} to {percent(max(found))} of the effective MACs "
        "of the same steps at 8 bits."
    )


def _less(costs: Costs) -> str:
    """``69.7 % fewer effective MACs and, modelled, 61.6 % less FPGA time``; empty without any."""
    saved = {each: cost.saving for each, cost in costs.items() if cost.saving is not None}
    macs = [_fewer(saved[EFFECTIVE_MACS])] if EFFECTIVE_MACS in saved else []
    modelled = [
        f"{percent(abs(saved[each]))} {'less' if saved[each] >= 0 else 'more'} {each.name}"
        for each in MODELLED
        if each in saved
    ]
    return _with_modelled(macs, modelled)


def _fewer(saving: float) -> str:
    return f"{percent(abs(saving))} {'fewer' if saving >= 0 else 'more'} effective MACs"


def _amounts(costs: Costs) -> str:
    """What it took: ``: 7.29 G effective MACs and, modelled, 812 ms and 10.7 J on the FPGA``."""
    if EFFECTIVE_MACS not in costs:
        return ""
    macs = [f"{EFFECTIVE_MACS.text(costs[EFFECTIVE_MACS].value)} effective MACs"]
    modelled = [each.text(costs[each].value) for each in MODELLED if each in costs]
    return ": " + _with_modelled(macs, modelled) + (" on the FPGA" if modelled else "")


def _with_modelled(computed: Sequence[str], modelled: Sequence[str]) -> str:
    """Modelled figures are never without that word."""
    if not modelled:
        return _and(computed)
    return " and, ".join([*computed, f"modelled, {_and(modelled)}"])


def _done(run: Run) -> str:
    """``25 of 40 steps`` while there are more to come."""
    planned = run.steps_planned
    if run.summary is None and planned is not None and planned != run.steps_done:
        return f"{run.steps_done:,} of {planned:,} steps"
    return _steps(run.steps_done)


def _steps(count: int) -> str:
    return f"{count:,} step{'' if count == 1 else 's'}"


def _saving(run: Run, quantity: Quantity) -> float | None:
    cost = run.totals.get(quantity)
    return None if cost is None else cost.saving


def _name(run: Run) -> str:
    return cut(run.name)


def _accuracy(run: Run) -> float:
    return 0.0 if run.best is None else run.best.test_accuracy


def _best(run: Run) -> str:
    return f"{_accuracy(run):.2f} %"


def _and(parts: Sequence[str]) -> str:
    return " and ".join(filter(None, (", ".join(parts[:-1]), *parts[-1:])))
