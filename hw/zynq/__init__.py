"""The engine at the ports of a Zynq-7000: registers on its GP0 master, memory at its HP ports."""
