"""Networks: layers, residual blocks, gates. Each emits its forward half into a step graph."""
