"""The work around the convolutions as compiled loops: Numba, one pass over memory each.

`kernels_*` are the loops, over tiles of a tensor that stay in the first cache; `step_math` calls
them. Every number is an integer of 64 bits, as in the definition, `sim.golden.step`.
"""
