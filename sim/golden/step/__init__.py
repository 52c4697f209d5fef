"""The integer training step: the definition of everything around the convolutions.

NumPy, int64, one function for each formula of docs/numerics.md. Word lengths are in
`hw.contract.numerics`.
"""
