"""Training: the optimizer, the methods that choose precision, the loop, and what a run leaves."""
