"""From Verilog to a bitstream: the flows, their inputs and their results."""
