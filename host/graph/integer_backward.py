"""Rules of the way back for the operations of the integer step."""

from __future__ import annotations

from fractrain.host.graph import operations as ops
from fractrain.host.graph.backward import Errors, WayBack, rule
from fractrain.host.graph.integer_builder import IntegerBuilder
from fractrain.host.graph.tensor import BySlot, Fixed, Kind, Tensor
from fractrain.hw.contract.errors import ParameterError
from fractrain.hw.contract.numerics import MAX_JOINED, NARROW_BITS
from fractrain.hw.contract.precision import Operand


@rule(ops.Narrow, through=["sums"])
def _narrow(way: WayBack, operation: ops.Narrow, e: Tensor) -> Errors:
    """The error behind the batch norm's way back is that of the sums."""
    return [(operation.sums, e)]


@rule(ops.Form, through=["gammas", "betas", "ys", "residual"], joins=True)
def _form(way: WayBack, operation: ops.Form, errors: list[Tensor]) -> Errors:
    """All errors are joined; each batch norm has its way back, the residual gets the rest."""
    builder, form = way.builder, operation
    assert isinstance(builder, IntegerBuilder)
    shape = form.outputs[0].shape
    e = builder.tensor(f"{form.name}.e", shape, Kind.STREAM, bits=Fixed(NARROW_BITS))
    if len(errors) > MAX_JOINED:
        raise ParameterError(f"readers of {form.name}", len(errors), f"at most {MAX_JOINED}")
    sums = [each for each in errors if each.kind is Kind.SUMS]
    streams = [each for each in errors if each.kind is not Kind.SUMS]
    found = [builder.operands[each.name] for each in sums]
    builder.emit(
        ops.Join(
            e.name,
            form.slot,
            tuple(sums),
            tuple(row for row, _, _ in found),
            tuple(column for _, column, _ in found),
            tuple(depth for _, _, depth in found),
            tuple(streams),
            form.mask,
            form.kept,
            e,
            e.name,
        )
    )
    back: Errors = []
    for place in range(len(form.ys)):
        back += _apply(builder, form, place, e)
    if form.residual is not None:
        back.append((form.residual, e))
    return back


def _apply(builder: IntegerBuilder, form: ops.Form, place: int, e: Tensor) -> Errors:
    """The way back of one batch norm, up to the quantized error at its convolution."""
    y, kept, gamma, beta = (each[place] for each in (form.ys, form.kept, form.gammas, form.betas))
    slot = builder.slot_of(y)
    name = f"{kept.name.removesuffix('.kept')}.back"
    bits = BySlot(slot, Operand.ERROR)
    q = builder.tensor(f"{name}.q", y.shape, Kind.ERRORS, bits=bits)
    dgamma, dbeta = (builder.tensor(f"{name}.d{each}", gamma.shape) for each in ("gamma", "beta"))
    tensors = e, kept, gamma, q, dgamma, dbeta
    number = builder.number_of(y)
    builder.emit(ops.Apply(name, slot, *tensors, place, number, f"{name}.range"))
    if y.name in builder.shares:
        block = builder.shares[y.name]
        share = builder.tensor(f"{name}.share", (), Kind.SHARE)
        of = e, gamma, beta, dgamma, dbeta, share
        builder.emit(ops.NormShare(share.name, None, *of))
        builder.emit(ops.LearnChoice(f"{name}.learn", None, share, block))
    return [(gamma, dgamma), (beta, dbeta), (y, q)]


@rule(ops.PoolSums, through=["x"])
def _pool(way: WayBack, operation: ops.PoolSums, e: Tensor) -> Errors:
    name = f"{operation.name}.back"
    dx = way.builder.tensor(name, operation.x.shape, Kind.STREAM, bits=Fixed(NARROW_BITS))
    way.builder.emit(ops.SpreadErrors(name, None, e, dx))
    return [(operation.x, dx)]


@rule(ops.ChooseEarly, ops.RecordMeans)
def _ends(way: WayBack, operation: ops.RecordMeans, e: Tensor) -> Errors:
    """Choices are made from an earlier mini-batch: nothing goes back through them."""
    return []
