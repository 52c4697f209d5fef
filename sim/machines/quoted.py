"""Machines that are quoted, never modelled: what their authors published, each with its source."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["QUOTED", "Quoted"]


@dataclass(frozen=True)
class Quoted:
    """One published figure.

    machine : and what carries it
    what : is said to be ``value`` in ``unit``
    least : it is said to be at least that
    source : where
    """

    machine: str
    what: str
    value: float
    unit: str
    source: str
    least: bool = False

    @property
    def text(self) -> str:
        """The figure for people."""
        unit = self.unit if self.unit == "×" else f" {self.unit}"
        return f"{'≥ ' if self.least else ''}{self.value:g}{unit}"


_ETA = (
    "J. Lu, C. Ni, Z. Wang, ETA: An Efficient Training Accelerator for DNNs Based on "
    "Hardware-Algorithm Co-Optimization, IEEE TNNLS, 10.1109/tnnls.2022.3145850, abstract"
)
_LNPU = (
    "J. Lee et al., LNPU: A 25.3TFLOPS/W Sparse Deep-Neural-Network Learning Processor with "
    "Fine-Grained Mixed Precision of FP8-FP16, ISSCC 2019"
)
_LNPU_LETTER = (
    "J. Lee et al., An Energy-Efficient Sparse Deep-Neural-Network Learning Accelerator With "
    "Fine-Grained Mixed Precision of FP8–FP16, IEEE SSC-L 2019"
)
_HNPU = (
    "D. Han et al., HNPU: An Adaptive DNN Training Processor Utilizing Stochastic Dynamic "
    "Fixed-Point and Active Bit-Precision Searching, IEEE JSSC 2021"
)
_LIU = (
    "Liu et al., A Dynamic Execution Neural Network Processor for Fine-Grained Mixed-Precision "
    "Model Training Based on Online Quantization Sensitivity Analysis, IEEE JSSC 2024, "
    "10.1109/jssc.2024.3377292"
)

QUOTED = (
    Quoted("ETA, 8 bits, VC709", "training, CIFAR VGG-16", 610.98, "GOPS", _ETA),
    Quoted("ETA, 8 bits, VC709", "training, CIFAR ResNet-20", 658.64, "GOPS", _ETA),
    Quoted("ETA, 8 bits, VC709", "training, ResNet-18", 811.24, "GOPS", _ETA),
    Quoted("LNPU, FP8 to FP16", "efficiency", 25.3, "TFLOPS/W", _LNPU),
    Quoted("LNPU, FP8 to FP16", "efficiency against sparse FP16", 1.76, "×", _LNPU_LETTER),
    Quoted("LNPU, FP8 to FP16", "efficiency against a V100", 4.9, "×", _LNPU_LETTER),
    Quoted("HNPU, 28 nm", "energy efficiency against earlier ones", 5.9, "×", _HNPU, True),
    Quoted("HNPU, 28 nm", "area efficiency against earlier ones", 2.5, "×", _HNPU, True),
    Quoted("Liu et al., bits by sensitivity while training", "efficiency", 13.2, "TFLOPS/W", _LIU),
)
"""8-bit training accelerators on an FPGA first, then ASICs that train at several precisions."""
