"""The convolution engine: its stages, and the whole of them."""
