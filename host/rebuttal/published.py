"""What the paper, its tables and the authors' rebuttal say: quoted, and what follows from it."""

from __future__ import annotations

from dataclasses import dataclass

from fractrain.host.reports.published import DFQ, FRACTRAIN, RESULTS, STATIC, Published

__all__ = ["DFQ", "FRACTRAIN", "STATIC", "Setting"]

FW8BW8_CP = 6.25
"""Percent of 32-bit arithmetic."""

STEPS, BATCH = 64_000, 128
"""Of the published training."""

FORWARD_MACS = {"resnet38": 83.28e6, "resnet74": 168.2e6, "resnet110": 253.1e6}
"""Of an image of 32 × 32 pixels."""

FW8BW8_MACS = {"resnet38": 1.279e14, "resnet74": 2.584e14, "resnet110": 3.888e14}
"""Effective MACs of the published training at FW8/BW8."""

MEAN_CP = {
    ("resnet38", "cifar10"): {DFQ: 2.65, FRACTRAIN: 2.08},
    ("resnet38", "cifar100"): {DFQ: 2.51, FRACTRAIN: 2.02},
    ("resnet74", "cifar10"): {DFQ: 2.60, FRACTRAIN: 2.11},
    ("resnet74", "cifar100"): {DFQ: 2.60, FRACTRAIN: 2.02},
}
"""Of the published runs, in percent: derived from the published tables."""

LAW = {"time": (0.56, 0.44), "energy": (0.515, 0.485)}
"""Of the published table: part of FW8/BW8 at equal length, constant and per r = cp / 6.25 %."""

ABSOLUTES = {"GMAC/s": 101.3, "pJ/MAC": 17.8}
"""Of FW8/BW8 on Bit Fusion: derived from the published table."""

ON_EYERISS = {
    ("resnet38", "cifar100"): {"energy": 0.658, "latency": 0.726},
    ("resnet74", "cifar100"): {"energy": 0.698, "latency": 0.682},
}
"""Saved by FracTrain on Bit Fusion against FW8/BW8 on Eyeriss."""

EYERISS_ABSOLUTES = {
    ("resnet38", "cifar100"): {"GMAC/s": 33.1, "pJ/MAC": 41.8},
    ("resnet74", "cifar100"): {"GMAC/s": 38.2, "pJ/MAC": 47.6},
}
"""Of FW8/BW8 on Eyeriss: what the savings and the published table imply."""


@dataclass(frozen=True)
class Deeper:
    """Test accuracy in percent of FW8/BW8 and of FracTrain, effective MACs saved."""

    eight: float
    ours: float
    saved: float


DEEPER = {
    ("resnet110", "cifar10"): Deeper(93.38, 93.51, 0.673),
    ("resnet110", "cifar100"): Deeper(72.11, 72.19, 0.4517),
    ("resnet164", "cifar10"): Deeper(93.72, 93.77, 0.3869),
    ("resnet164", "cifar100"): Deeper(74.55, 74.80, 0.436),
}

BACKWARD_8 = {
    ("resnet74", "cifar10"): Deeper(93.04, 93.11, 0.373),
    ("resnet74", "cifar100"): Deeper(71.01, 71.11, 0.437),
}
"""DFQ with at most 8 bits backward, against FW8/BW8."""

DATA = {"cifar10": "CIFAR-10", "cifar100": "CIFAR-100"}


@dataclass(frozen=True)
class Setting:
    """A network on a data set of the published table."""

    model: str
    data: str

    @property
    def key(self) -> tuple[str, str]:
        return self.model, self.data

    @property
    def text(self) -> str:
        """``ResNet-38, CIFAR-100``."""
        return f"ResNet-{self.model.removeprefix('resnet')}, {DATA[self.data]}"

    def row(self, method: str) -> Published:
        """Of the published table."""
        return next(each for each in RESULTS[self.data, self.model] if each.method == method)

    def cp(self, method: str) -> float:
        """Mean of the published run, in percent."""
        return FW8BW8_CP if method == STATIC else MEAN_CP[self.key][method]

    def length(self, method: str) -> float:
        """Steps of a published run over those of the static one: its MACs over what the static
        run's would be at its mean cost."""
        relative = self.row(method).macs / self.row(STATIC).macs
        return relative * FW8BW8_CP / self.cp(method)


SETTINGS = tuple(Setting(*each) for each in MEAN_CP)
