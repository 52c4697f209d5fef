"""From CONVOLVE to passes: precision becomes time."""
