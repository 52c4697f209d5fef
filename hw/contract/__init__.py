"""The contract between hardware and software: sizes, precision, layout, commands, registers.

Pure Python and NumPy: the board imports it too.
"""
