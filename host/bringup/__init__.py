"""The board proved stage by stage, and its power measured, by programs whose results are known."""
