"""How many threads NumPy's matrix products may use."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext

__all__ = ["single_threaded_blas"]


def single_threaded_blas() -> AbstractContextManager[object]:
    """Within it, matrix products run on the calling thread.

    The products of a small network take tens of microseconds, too little to share. On busy cores,
    BLAS threads burn time waiting for each other. Measured on two busy cores, 66 steps of the
    default run: 40 s on one thread, 323 s on two.

    Needs threadpoolctl, which comes with scikit-learn; does nothing without it.
    """
    try:
        from threadpoolctl import threadpool_limits  # type: ignore[import-untyped,unused-ignore]
    except ImportError:
        return nullcontext()
    limits: AbstractContextManager[object] = threadpool_limits(1, user_api="blas")
    return limits
