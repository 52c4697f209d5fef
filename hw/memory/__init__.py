"""Operand memories in block RAM."""
