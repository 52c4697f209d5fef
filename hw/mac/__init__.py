"""The recursive MAC: plane dot products, their recursion, shift-accumulators, the array.

The engine drives `hw.mac.array.MacArray`; everything else is a part of it.
"""
