"""What the errors of the cycle model mean, said wherever they are shown."""

from __future__ import annotations

LARGE = 0.02
"""Relative: a layer that is further off is named, with the reason."""

REASON = (
    "The model takes two cycles for every word of weights; the machine takes one where only half "
    "of the word is kept, as in error passes of stride 2. That shows where the array waits for "
    "weights: with few pixels to a filter, so in small pictures and batches."
)


def model_errors_text(layers: dict[str, float], whole: float, of_whole: str) -> str:
    """What to read beside a table of relative errors.

    layers : by name, each of one convolution run alone
    whole, of_whole : that of all together, and what "all" is
    """
    name, error = max(layers.items(), key=lambda each: abs(each[1]), default=("", 0.0))
    text = f"error: of the cycle model, each convolution alone; of {of_whole} {100 * whole:+.2f} %."
    if abs(error) < LARGE:
        return text
    named = f"{text} Largest alone: {100 * error:+.1f} %, {name}."
    # of a model that counts too few cycles it is not the reason
    return f"{named} {REASON}" if error > 0 else named
