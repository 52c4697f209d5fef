"""The accelerator in PyTorch: exact integer convolutions in floating point, on CPU or CUDA.

`accelerator` is the backend; `exact` chooses arithmetic that rounds nothing, `kernels` multiplies,
`settings` keeps PyTorch from computing less precisely than asked, `probe` checks that;
`elementwise` and `random_fractions` do the work around the convolutions.

PyTorch is imported inside functions only: the board and all other tests do without it.
"""
