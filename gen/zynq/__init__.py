"""Verilog around the accelerator: a wrapper for block designs, a top with a bare PS7."""
