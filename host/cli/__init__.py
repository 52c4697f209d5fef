"""The command line, `fractrain`."""
