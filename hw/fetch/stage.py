"""The fetch stage: words of tensors from memory into the on-chip memories."""

from amaranth.hdl import Module, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from fractrain.hw.contract.commands import ENGINE_SIGNAL, Fault, Opcode, Stage, Tag
from fractrain.hw.contract.parameters import Parameters
from fractrain.hw.fetch.places import LoadPlaces, load_target, target_of
from fractrain.hw.fetch.requests import LoadRequests
from fractrain.hw.fetch.writer import WordWriter
from fractrain.hw.flow.fifo import Fifo
from fractrain.hw.flow.layouts import column_write, plane_write, read_request
from fractrain.hw.flow.tasks import INDEX_BITS, command_view, stage_task

__all__ = ["FetchStage"]

TASKS_AHEAD = 16
"""LOADs that may request before the first word of the first has come."""

SIGNALS = len(ENGINE_SIGNAL[Stage.FETCH])


def _header() -> data.StructLayout:
    """What a LOAD keeps until it ends."""
    return data.StructLayout({"index": INDEX_BITS, "signal": SIGNALS, "tag": Tag})


class FetchStage(wiring.Component):
    """Runs LOADs (see `hw.contract.commands.Load`) in order.

    Two sides run ahead of each other: one requests the words of up to `TASKS_AHEAD` tasks, the
    other puts them in their places as they come.

    Members
    -------
    tasks : In(stream of `stage_task`)     LOADs that have got their tokens; all counts are 1 or
                                           more, all groups exist
    requests : Out(stream of `read_request`), words : In(stream of words)
    plane_write : Out(`plane_write`), column_write : Out(`column_write`)
    ended, signal : Out(1)      a task has ended: its last write is done; it gives a token
    words_taken, tag : Out      a word has come in, two cycles ago; the `Tag` of its LOAD
    fault : Out(Fault)              ADDRESS for a cycle: a write beyond its memory. It is not
                                done, and no write after it
    index : Out(32)             number of the oldest command at work: the one at fault, and the one
                                that waits for the next word
    busy : Out(1)               a LOAD is at work
    halt : In(1)                make no more requests (two may still be offered), take no more words
    idle : Out(1)               no task is inside

    Timing: a word per cycle, from task to task, too; two cycles for a word with both halves in the
    column memory. A write follows its word by one cycle (the first of two halves comes with the
    word), and ``ended`` the last write by one: a read in that cycle sees the word. The first
    request comes five cycles after its task.
    """

    def __init__(self, parameters: Parameters) -> None:
        self.parameters = parameters
        super().__init__(
            {
                "tasks": In(stream.Signature(stage_task(parameters))),
                "requests": Out(stream.Signature(read_request())),
                "words": In(stream.Signature(8 * parameters.word_bytes)),
                "plane_write": Out(plane_write(parameters)),
                "column_write": Out(column_write(parameters)),
                "ended": Out(1),
                "signal": Out(SIGNALS),
                "words_taken": Out(1),
                "tag": Out(Tag),
                "fault": Out(Fault),
                "index": Out(INDEX_BITS),
                "busy": Out(1),
                "halt": In(1),
                "idle": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.requests = asking = LoadRequests(self.parameters)
        m.submodules.places = places = LoadPlaces(self.parameters)
        m.submodules.writer = writer = WordWriter(self.parameters)
        connect(m, asking.requests, flipped(self.requests))
        connect(m, places.places, writer.places)
        connect(m, flipped(self.words), writer.words)
        m.d.comb += [
            asking.halt.eq(self.halt),
            writer.halt.eq(self.halt),
            self.plane_write.eq(writer.plane_write),
            self.column_write.eq(writer.column_write),
            self.fault.eq(writer.fault),
        ]
        self._accept(m, asking, places, writer)
        return m

    def _accept(
        self, m: Module, asking: LoadRequests, places: LoadPlaces, writer: WordWriter
    ) -> None:
        """A task goes to the requests, to the places and, its header, to where it ends."""
        task, header = self.tasks.payload, Signal(_header())
        depth = TASKS_AHEAD + Fifo.SLACK
        m.submodules.targets = targets = Fifo(load_target(self.parameters), depth)
        m.submodules.headers = headers = Fifo(_header(), depth)
        command = command_view(Opcode.LOAD, task.command)
        connect(m, targets.r_stream, places.targets)
        accepted, room = Signal(), Signal()
        m.d.comb += [
            # every task in `targets` has its header in `headers`, so these fill up first
            room.eq(headers.w_rdy),
            asking.tasks.payload.eq(task),
            asking.tasks.valid.eq(self.tasks.valid & room),
            self.tasks.ready.eq(asking.tasks.ready & room),
            accepted.eq(self.tasks.valid & self.tasks.ready),
            header.index.eq(task.index),
            header.signal.eq(command.signal),
            header.tag.eq(command.tag),
            targets.w_data.eq(target_of(task, self.parameters)),
            targets.w_en.eq(accepted),
            headers.w_data.eq(header),
            headers.w_en.eq(accepted),
        ]
        self._end(m, headers, writer)

    def _end(self, m: Module, headers: Fifo, writer: WordWriter) -> None:
        """The oldest header leaves in the cycle of its task's last write."""
        header, inside = headers.head, headers.level != 0
        ending, taken = Signal(), Signal()
        m.d.comb += [
            headers.r_en.eq(ending),
            self.index.eq(header.index),
            self.busy.eq(inside),
            self.idle.eq(~(inside | self.ended)),
        ]
        m.d.sync += [
            ending.eq(writer.ends),
            taken.eq(writer.taken),
            self.ended.eq(ending),
            self.signal.eq(header.signal & ending.replicate(SIGNALS)),
            self.words_taken.eq(taken),
            self.tag.eq(header.tag),
        ]
