"""Proves the board stage by stage, and measures its power, by programs with known results."""
