"""Explains the errors of the cycle model, wherever they are shown."""

from __future__ import annotations

LARGE = 0.02
"""Relative error above which a layer is named, with the reason."""

REASON = (
    "The model takes two cycles for every word of weights; the machine takes one where only half "
    "of the word is kept, as in error passes of stride 2. That shows where the array waits for "
    "weights: with few pixels to a filter, so in small pictures and batches."
)


def model_errors_text(layers: dict[str, float], whole: float, of_whole: str) -> str:
    """The note beside a table of relative errors.

    layers : errors of convolutions run alone, by name
    whole, of_whole : the error of all together, and the name of "all"
    """
    name, error = max(layers.items(), key=lambda each: abs(each[1]), default=("", 0.0))
    text = f"error: of the cycle model, each convolution alone; of {of_whole} {100 * whole:+.2f} %."
    if abs(error) < LARGE:
        return text
    named = f"{text} Largest alone: {100 * error:+.1f} %, {name}."
    # of a model that counts too few cycles it is not the reason
    return f"{named} {REASON}" if error > 0 else named
