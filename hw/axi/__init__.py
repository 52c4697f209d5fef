"""The way to DDR: AXI3 masters that read runs of words and write blocks."""
