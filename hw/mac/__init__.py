"""The recursive MAC: plane dot products, their recursion, shift-accumulators, the array.

`hw.mac.array.MacArray` is what the engine drives; everything else is a part of it.
"""
