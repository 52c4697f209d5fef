"""How a block gets its precision, and how the selector learns."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from fractrain.host.graph.operations.operation import Operation
from fractrain.host.graph.tensor import Tensor


@dataclass(frozen=True, eq=False)
class ChoosePrecision(Operation):
    """Choose the precision of block number ``block``, from its input x: its slots have their bits
    from here on.

    Several ``masks``: each image takes one of as many paths, and mask k[n] is 1 for those of path
    k, else 0.
    """

    x: Tensor
    block: int
    masks: tuple[Tensor, ...]
    reads: ClassVar[tuple[str, ...]] = ("x",)
    makes: ClassVar[tuple[str, ...]] = ("masks",)


@dataclass(frozen=True, eq=False)
class TakePath(Operation):
    """y = x, where one of several paths begins: all of them compute all images."""

    x: Tensor
    y: Tensor
    reads: ClassVar[tuple[str, ...]] = ("x",)
    makes: ClassVar[tuple[str, ...]] = ("y",)


@dataclass(frozen=True, eq=False)
class Share(Operation):
    """y = s·x with s = 1: the share that the only path has of its block's output."""

    x: Tensor
    y: Tensor
    block: int
    reads: ClassVar[tuple[str, ...]] = ("x",)
    makes: ClassVar[tuple[str, ...]] = ("y",)


@dataclass(frozen=True, eq=False)
class ShareBackward(Operation):
    """share = ∂loss/∂s = Σ e·x over images, channels and pixels; 0 where x is missing."""

    e: Tensor
    x: Tensor
    share: Tensor
    reads: ClassVar[tuple[str, ...]] = ("e", "x")
    makes: ClassVar[tuple[str, ...]] = ("share",)
    optional: ClassVar[tuple[str, ...]] = ("x",)


@dataclass(frozen=True, eq=False)
class Mix(Operation):
    """y = total + mask·x: every image takes the output x of its own path. Without ``total``, of
    the first path, y = mask·x. ``taken`` is the slot that is skipped if no image does."""

    total: Tensor | None
    x: Tensor
    mask: Tensor
    y: Tensor
    block: int
    taken: int
    reads: ClassVar[tuple[str, ...]] = ("total", "x", "mask")
    makes: ClassVar[tuple[str, ...]] = ("y",)


@dataclass(frozen=True, eq=False)
class MixBackward(Operation):
    """dx = mask·e: the errors of the images that took the path. Its slot is skipped if none did."""

    e: Tensor
    mask: Tensor
    dx: Tensor
    reads: ClassVar[tuple[str, ...]] = ("e", "mask")
    makes: ClassVar[tuple[str, ...]] = ("dx",)


@dataclass(frozen=True, eq=False)
class MaskBackward(Operation):
    """share[n] = ∂loss/∂mask[n] = Σ e·x over channels and pixels."""

    e: Tensor
    x: Tensor
    share: Tensor
    reads: ClassVar[tuple[str, ...]] = ("e", "x")
    makes: ClassVar[tuple[str, ...]] = ("share",)


@dataclass(frozen=True, eq=False)
class ChooseBackward(Operation):
    """dx = the error that the choice causes at its block's input, from ∂loss/∂share of each path;
    the selector learns from these."""

    shares: tuple[Tensor, ...]
    block: int
    shape: tuple[int, ...]
    dx: Tensor
    reads: ClassVar[tuple[str, ...]] = ("shares",)
    makes: ClassVar[tuple[str, ...]] = ("dx",)
