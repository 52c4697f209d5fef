"""Maps generated Verilog to 7-series cells and measures the result: area, depth, fan-out."""
