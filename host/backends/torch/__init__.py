"""The accelerator in PyTorch: exact integer convolutions in floating point, on CPU or CUDA.

`accelerator` is the backend; `exact` chooses how a sum is computed so that nothing is rounded,
`kernels` multiplies, `settings` keeps PyTorch from computing less precisely than asked, `probe`
looks whether it does so; `elementwise` and `random_fractions` are what surrounds the convolutions.

PyTorch is imported inside functions only: the board and the tests of all else do without it.
"""
