"""Turns a configuration into Verilog, a manifest and synthesis reports."""
