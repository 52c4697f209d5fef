"""Training: the optimizer, the loop, checkpoints and run folders."""
