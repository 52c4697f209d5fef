"""Co-simulation: generated Verilog, compiled by Verilator and driven from compiled C++."""
