"""What stands side by side on the way back."""

from __future__ import annotations

from dataclasses import dataclass

AT_ONCE, ALL = 6, 12
"""Parts of what the next chunk begins with that come beside the last error."""
PARTS_BELOW = 2, 4
"""Of a chunk of the stage before, in which its errors are made: usually, and where those of another
chunk stay on the chip."""


@dataclass(frozen=True)
class Overlap:
    """What stands beside the last gradient of a segment: errors of the ``next_chunk``, and those of
    the next segment (``next_segment``). Either takes planes of its own.

    ``recalls_ahead``: x̂ comes while the convolution before is at work, into side memory of its own.
    """

    next_chunk: bool = True
    next_segment: bool = True
    recalls_ahead: bool = True
