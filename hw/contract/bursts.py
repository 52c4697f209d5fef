"""The ports to memory: AXI3, 64 bits."""

from __future__ import annotations

BEAT_BYTES = 8
"""Of a port and cycle."""

BURST_BYTES = 16 * BEAT_BYTES
"""Most bytes of a burst: 16 beats. A burst never crosses a multiple of it, so never 4 KB."""
