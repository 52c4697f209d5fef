"""Bit Fusion: fused 2-bit multipliers in a systolic array, a search for its loop order and tiles.

H. Sharma et al., Bit Fusion: Bit-Level Dynamically Composable Architecture for Accelerating Deep
Neural Networks, ISCA 2018, and the facts about its simulator (hsharma35/bitfusion at 04ec1c8) that
docs/machines.md lists. The simulator has no licence; this is written from formulas.
"""

from fractrain.sim.machines.bit_fusion.machine import BitFusion

__all__ = ["BitFusion"]
