"""Components that refuse their parameters."""

import gc
import warnings
from collections.abc import Callable

import pytest
from amaranth.hdl import UnusedElaboratable

from fractrain.hw.contract.errors import ParameterError


def assert_refused(make: Callable[[], object], match: str) -> None:
    """``make`` raises a `ParameterError` whose text matches.

    Amaranth warns, whenever the garbage is collected, of a component that is never elaborated,
    and one whose constructor raises never is: it is collected here, unheard.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UnusedElaboratable)
        with pytest.raises(ParameterError, match=match):
            make()
        gc.collect()
