"""Residual networks with their three passes written out, every convolution on the accelerator."""
