"""The words of docs/numerics.md as shapes."""

from functools import cache

from amaranth.hdl import Shape, signed, unsigned

from fractrain.hw.contract.step_words import Word, step_words

__all__ = ["bits_of", "shape_of"]


@cache
def _words() -> dict[str, Word]:
    return {word.name: word for word in step_words()}


def bits_of(name: str) -> int:
    """Width of the word ``name`` of `hw.contract.step_words`."""
    return _words()[name].bits


def shape_of(name: str) -> Shape:
    """Shape of the word ``name``."""
    word = _words()[name]
    return signed(word.bits) if word.signed else unsigned(word.bits)
