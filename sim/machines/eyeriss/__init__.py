"""Eyeriss: 16-bit integers, row-stationary, by a model after TETRIS.

Y.-H. Chen, J. Emer, V. Sze, Eyeriss: A Spatial Architecture for Energy-Efficient Dataflow for
Convolutional Neural Networks, ISCA 2016; M. Gao et al., TETRIS: Scalable and Efficient Neural
Network Acceleration with 3D Memory, ASPLOS 2017, whose model is nn_dataflow (BSD-3, on PyPI). This
is written from its equations; the tests ask nn_dataflow itself, where it is installed.
"""

from fractrain.sim.machines.eyeriss.machine import Eyeriss, EyerissFigures

__all__ = ["Eyeriss", "EyerissFigures"]
