"""A training step as a value: named tensors, and operations on them, forward and backward."""
