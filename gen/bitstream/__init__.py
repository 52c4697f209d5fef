"""From Verilog to a bitstream of the ZC706: the flows, what they need and what they leave."""
