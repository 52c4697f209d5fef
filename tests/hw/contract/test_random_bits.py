"""Keys of the random bits: no two uses share one."""

from itertools import product

import pytest

from fractrain.hw.contract.errors import ParameterError
from fractrain.hw.contract.random_bits import number_tensors, rounding_key, stream_key


def test_layout() -> None:
    assert rounding_key(2**63 - 1, 10**8, 65535) == (2**63 - 1, 10**8 * 65536 + 65535)
    assert stream_key(7, 3, 5) == (2**63 + 7, 3 * 2**56 + 5)


def test_no_two_uses_share_a_key() -> None:
    seeds = (0, 1, 2**63 - 1)
    tensors = product(seeds, (0, 1, 2**16, 2**48 - 1), (0, 1, 2**16 - 1))
    streams = product(seeds, (0, 1, 255), (0, 1, 2**16, 2**56 - 1))
    keys = [*(rounding_key(*each) for each in tensors), *(stream_key(*each) for each in streams)]
    assert len(set(keys)) == len(keys) == 72
    assert all(0 <= word < 2**64 for key in keys for word in key)


@pytest.mark.parametrize(
    ("name", "call"),
    [
        ("seed", lambda: rounding_key(2**63, 0, 0)),
        ("seed", lambda: stream_key(-1, 0, 0)),
        ("step", lambda: rounding_key(0, 2**48, 0)),
        ("tensor", lambda: rounding_key(0, 0, 2**16)),
        ("stream", lambda: stream_key(0, 256, 0)),
        ("index", lambda: stream_key(0, 0, 2**56)),
    ],
)
def test_refusals(name: str, call) -> None:
    with pytest.raises(ParameterError, match=f"^{name}: "):
        call()


def test_tensors_are_numbered_in_order() -> None:
    assert number_tensors(["b", "a", "c"]) == {"b": 0, "a": 1, "c": 2}
    with pytest.raises(ParameterError, match="a name for each tensor"):
        number_tensors(["a", "b", "a"])
    with pytest.raises(ParameterError, match="at most 65536"):
        number_tensors(map(str, range(65537)))
    assert len(number_tensors(map(str, range(65536)))) == 65536
