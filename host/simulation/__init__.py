"""A training step taken apart into convolutions, and what running them on a machine costs."""
