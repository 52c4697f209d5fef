"""Models of other machines, one convolution at a time, behind one interface (`work.Machine`).

What each model is, where its formulas are from and how close it comes: docs/machines.md.
"""

from fractrain.sim.machines.bit_fusion import BitFusion
from fractrain.sim.machines.dsp import DOUBLE_PUMPED_DSP, PACKED_DSP, RECURSIVE_DSP, DspArray
from fractrain.sim.machines.eyeriss import Eyeriss, EyerissFigures
from fractrain.sim.machines.quoted import QUOTED, Quoted
from fractrain.sim.machines.work import Figures, Layer, Machine, Work

__all__ = [
    "DOUBLE_PUMPED_DSP",
    "PACKED_DSP",
    "QUOTED",
    "RECURSIVE_DSP",
    "BitFusion",
    "DspArray",
    "Eyeriss",
    "EyerissFigures",
    "Figures",
    "Layer",
    "Machine",
    "Quoted",
    "Work",
]
