"""The board proved stage by stage, by programs whose results are known."""
