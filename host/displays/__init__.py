"""Displays of long work: bars on a terminal, lines of text elsewhere."""
