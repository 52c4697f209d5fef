"""`fractrain simulate`: the convolutions of a training step on the RTL, each compared with the
model; or the whole step on a machine with a vector unit."""

from __future__ import annotations

import argparse
import time
from dataclasses import astuple
from pathlib import Path
from typing import Any

from fractrain.host.cli.command_line import add_command
from fractrain.host.cli.options import (
    BATCH,
    DEFAULT_MODE,
    FLAG,
    config_option,
    file_option,
    mode_option,
)
from fractrain.host.compiler.whole_step import DoesNotFit, require_vector_unit
from fractrain.host.files.atomic import write_whole
from fractrain.host.files.outputs import check_files, prepare_folder, write_json
from fractrain.host.graph.choice import UNQUANTIZED, is_skip
from fractrain.host.networks.selection import FixedSelector
from fractrain.host.numerics.random_streams import SEED
from fractrain.host.plugins.option import Option
from fractrain.host.simulation.images import IMAGES, training_images
from fractrain.host.simulation.measuring import MEMORIES, memory_model
from fractrain.host.simulation.programs import ResultForm
from fractrain.host.simulation.step import check_step, parse_blocks, record_training_step
from fractrain.host.simulation.step_simulation import WHOLE, StepSimulation
from fractrain.host.simulation.trace import open_waveform, saving, trace_document, trace_text
from fractrain.host.simulation.vector_machines import (
    MACHINES,
    RTL,
    opened_vector_machine,
)
from fractrain.host.simulation.whole_step import (
    StepSetting,
    check_whole_step,
    integer_options,
    simulate_whole_step,
)
from fractrain.host.simulation.whole_step_report import WholeStepReport, model
from fractrain.host.usual_machines import USUAL_CONFIG, WHOLE_STEP_CONFIG
from fractrain.hw.contract.errors import ParameterError
from fractrain.hw.contract.parameters import DEFAULT_PRESET, load_parameters
from fractrain.hw.contract.precision import PRECISION, Precision
from fractrain.hw.contract.values import OneWord, Whole
from fractrain.sim.progress import work

FIGURES, ROOFLINE = "figures.json", "roofline.svg"

EPILOG = f"""\
One batch goes forward and backward through the network on the golden model, in the integers of
hardware mode, or with --mode float with float32 around the convolutions; then every one of these
runs on the generated RTL, alone and once more in one command stream for the whole step, and every
result must be equal bit for bit. If not, the command says where and ends with code 6.

Utilization counts useful work only: one-bit multiply-adds of the convolutions over what the
array could do in all cycles. The second table has all convolutions of one geometry together;
"useful of busy" is what windows, lanes and tiles that are not full leave of the array. "model" is
the cycle model's prediction and its error.

--memory ideal moves 8 bytes per port and cycle with a short latency; ddr is the target's
memory behind its ports (see docs/engine.md). --results port sends sums to the array's 64-per-cycle
port, raw writes them to memory in 32 or 48 bits, planes narrows them to 16 bits first.

--trace records a waveform of everything that is simulated: `surfer FILE.fst` or `gtkwave FILE.fst`
shows it. The engine is convolution_engine; its parts (fetch, execute, result, tokens, memory,
registers) are named as in docs/engine.md. Left out: memories, the inside of the array's units, and
signals of more than 64 bits.

--whole-step takes a whole training step on the RTL instead, as one program of a machine with a
vector unit (its configuration has a `vector` section, docs/whole_step.md): every byte of the stash,
every weight and momentum and all that the host keeps must be golden's. What goes layer by layer, as
this machine has no room for it, is refused with code 2; without --whole-step its convolutions go
layer by layer.

examples:
  fractrain simulate --model resnet8 --config tiny --blocks 0
  fractrain simulate --model resnet8 --config tiny --blocks 0 --trace wave.fst
  fractrain simulate --model resnet20 --config {DEFAULT_PRESET} --batch 16 --precision 4,4,6
  fractrain simulate --model resnet38 --config {DEFAULT_PRESET} --blocks 0..2 --memory ddr
  fractrain simulate --whole-step --data digits --chunk 4
  fractrain simulate --whole-step --config zc706-vector --on functional --batch 16"""


OPTIONS = (
    config_option(None, shown=f"{USUAL_CONFIG}; with --whole-step {WHOLE_STEP_CONFIG}"),
    Option("model", "resnet8, resnet14, resnet20, …", default="resnet8"),
    Option(
        "blocks",
        "only residual blocks I to J of the network, from 0 (default: all layers)",
        metavar="I..J",
    ),
    Option("batch", "images", BATCH, 2, metavar="N"),
    Option(
        "precision",
        "bits of activations, weights and errors in the blocks",
        PRECISION,
        Precision(4, 4, 6),
        metavar="A,W,E",
        shown="4,4,6",
    ),
    Option(
        "uniform",
        "that precision for the first convolution and the shortcuts, too (default: 8,8,8)",
        form=FLAG,
    ),
    Option("whole_step", "the whole step as one program, updates included", form=FLAG),
    Option(
        "on",
        "what carries the whole step out: the RTL, or the functional machine, without time",
        OneWord(MACHINES),
        RTL,
    ),
    Option(
        "chunk",
        "of a whole step: images that share statistics, as of fractrain train",
        Whole(0, BATCH.high),
        metavar="N",
        shown="as of train",
    ),
    mode_option(),
    Option(
        "data",
        "images: random 3 x 32 x 32 ones, or the bundled digits",
        OneWord(IMAGES),
        "random",
    ),
    Option("memory", "how the memory behaves", OneWord(MEMORIES), "ideal"),
    Option("results", "how results leave", OneWord([each.value for each in ResultForm]), "port"),
    Option("seed", "of images, weights and rounding", SEED, 0),
    Option("out", "for figures.json and roofline.svg", Path, Path("simulation"), metavar="FOLDER"),
    file_option(
        "trace",
        "record all signals, for Surfer or GTKWave; FILE.vcd: as text, much larger",
        "FILE.fst",
    ),
    Option(
        "trace_cycles",
        "only cycles FROM to TO - 1, either may be left out (default: all)",
        metavar="FROM:TO",
    ),
)


def add_parser(subparsers: argparse._SubParsersAction) -> None:
    """Add ``simulate`` and its options."""
    description = "Run the convolutions of a training step on the generated RTL and check them."
    add_command(subparsers, "simulate", description, EPILOG, OPTIONS)


def run(args: argparse.Namespace) -> int:
    """Simulate, print the table, write figures and picture."""
    if args.config is None:
        args.config = WHOLE_STEP_CONFIG if args.whole_step else USUAL_CONFIG
    if args.whole_step:
        return _whole_step(args)
    for name in ("chunk", "on"):
        if getattr(args, name) not in (None, RTL):
            raise ParameterError(f"--{name}", getattr(args, name), "with --whole-step only")
    parameters, blocks = load_parameters(args.config), None
    if args.blocks is not None:
        blocks = parse_blocks(args.blocks)
    if is_skip(args.precision):
        raise ParameterError("--precision", _shown(args), "at least 1 bit of each operand")
    check_step(args.model, args.batch, blocks)
    waveform = open_waveform(args.trace, args.trace_cycles)
    check_files(args.trace)
    prepare_folder(args.out)
    figures, picture = args.out / FIGURES, args.out / ROOFLINE
    check_files(figures, picture)
    say = work()
    say("recording a training step on the golden model")
    images = training_images(args.data, args.batch, args.seed)
    step = {"seed": args.seed, "mode": args.mode, "blocks": blocks, "uniform": args.uniform}
    training = record_training_step(args.model, images, parameters, args.precision, **step)
    memory, form = memory_model(args.memory, parameters), ResultForm(args.results)
    started = time.monotonic()
    with saving(waveform, args.trace):
        simulation = StepSimulation(parameters, training, form, memory, say)
        report = simulation.run(waveform)
    say("")
    print(f"{report.table()}\n\n{report.geometry_table()}")
    print(report.summary(args.config, time.monotonic() - started))
    if waveform:
        begin, cycles = simulation.begins[WHOLE], simulation.cycles
        print(trace_text(waveform, args.trace, parameters, begin, cycles))
    trace = trace_document(waveform, args.trace, simulation.begins)
    write_json(figures, _settings(args) | report.document() | trace)
    title = f"{args.model} on {args.config}, batch {args.batch}, precision {args.precision}"
    write_whole(picture, report.picture(f"Roofline: {title}", memory))
    print(f"figures and picture: {figures}, {picture}")
    return 0


def _whole_step(args: argparse.Namespace) -> int:
    """The whole step: compare, print the tables, write figures."""
    parameters = load_parameters(args.config)
    if is_skip(args.precision):
        raise ParameterError("--precision", _shown(args), "at least 1 bit of each operand")
    if args.blocks is not None:
        raise ParameterError("--blocks", args.blocks, "nothing with --whole-step")
    if args.on != RTL:
        for name in ("trace", "trace_cycles"):
            if (given := getattr(args, name)) is not None:
                raise ParameterError(
                    f"--{name.replace('_', '-')}", str(given), "with --on rtl only"
                )
    for name, only in (("mode", DEFAULT_MODE), ("results", ResultForm.PORT.value)):
        if getattr(args, name) != only:
            raise ParameterError(f"--{name}", getattr(args, name), f"{only} with --whole-step")
    check_step(args.model, args.batch)
    require_vector_unit(parameters)
    waveform = open_waveform(args.trace, args.trace_cycles)
    check_files(args.trace)
    prepare_folder(args.out)
    figures = args.out / FIGURES
    check_files(figures)
    images = training_images(args.data, args.batch, args.seed)
    setting = StepSetting(
        args.model,
        images,
        FixedSelector(args.precision),
        args.seed,
        integer_options(args.chunk, max(images.shape[2:])),
        args.precision if args.uniform else UNQUANTIZED,
    )
    say, memory = work(), memory_model(args.memory, parameters)
    try:
        check_whole_step(setting, parameters)
        opening = opened_vector_machine(args.on, parameters, memory, say, waveform)
        with saving(waveform, args.trace), opening as opened:
            simulated = simulate_whole_step(setting, opened.machine, say, opened.clock)
    except DoesNotFit as refused:
        hint = "without --whole-step its convolutions go layer by layer"
        raise DoesNotFit(refused.name, refused.given, refused.allowed, hint=hint) from None
    say("asking the cycle model")
    report = WholeStepReport(simulated, model(simulated, memory))
    say("")
    print(f"{report.tables()}\n\n{report.summary(parameters)}")
    begins = {} if simulated.times.begin is None else {WHOLE: simulated.times.begin}
    if waveform:
        print(trace_text(waveform, args.trace, parameters, begins[WHOLE], report.cycles))
    settings = _settings(args) | {"on": args.on, "chunk": args.chunk}
    trace = trace_document(waveform, args.trace, begins)
    write_json(figures, settings | report.document() | trace)
    print(f"figures: {figures}")
    return 0


def _settings(args: argparse.Namespace) -> dict[str, Any]:
    """What was simulated, for the file of figures."""
    names = ("config", "model", "blocks", "batch", "uniform", "mode", "data")
    settings = {name: getattr(args, name) for name in names}
    last = {"memory": args.memory, "results": args.results, "seed": args.seed}
    return settings | {"precision": _shown(args)} | last


def _shown(args: argparse.Namespace) -> str:
    return ",".join(map(str, astuple(args.precision)))
