"""Targets: what carries a core. Each board is one value in one file of `hw.targets.boards`."""
