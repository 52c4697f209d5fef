"""Generic parts of streams."""
