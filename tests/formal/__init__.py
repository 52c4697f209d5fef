"""Formal proofs: the runner, and monitors that state what must hold."""
