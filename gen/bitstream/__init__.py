"""From Verilog to a bitstream: the flows, what they need and what they leave."""
