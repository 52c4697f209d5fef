"""Caches that nobody keeps coherent, at their worst."""

from __future__ import annotations

import numpy as np

from fractrain.sim.board.caches import BIDIRECTIONAL, FROM_DEVICE, TO_DEVICE, CachedView


def view() -> tuple[np.ndarray, CachedView]:
    memory = np.zeros(256, np.uint8)
    return memory, CachedView(memory)


def test_neither_side_sees_the_other_until_it_is_told() -> None:
    memory, caches = view()
    caches.data[:] = 1
    assert not memory.any()
    caches.for_device(64, 128, TO_DEVICE)
    assert memory[64:192].all() and not memory[:64].any() and not memory[192:].any()
    memory[:] = 7
    assert caches.data[100] == 1
    caches.for_processor(64, 64, TO_DEVICE)
    assert caches.data[100] == 1
    caches.for_processor(64, 64, FROM_DEVICE)
    assert (caches.data[64:128] == 7).all() and caches.data[128] == 1


def test_lines_that_were_not_cleaned_go_back_over_what_a_device_has_written() -> None:
    memory, caches = view()
    caches.data[70] = 5
    caches.data[130] = 6
    caches.for_device(128, 32, BIDIRECTIONAL)
    memory[:] = 9
    caches.evict()
    assert memory[70] == 5 and memory[64] == 0 and memory[96] == 9
    assert (memory[128:] == 9).all()


def test_invalidating_loses_what_was_written() -> None:
    memory, caches = view()
    caches.data[10] = 5
    caches.for_device(0, 32, FROM_DEVICE)
    caches.evict()
    assert memory[10] == 0 and caches.data[10] == 0
