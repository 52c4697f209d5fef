"""The engine as a Zynq-7000 sees it: registers on its GP0 master, memory at its HP ports."""
