"""Arrays that note what NumPy is called for, in the notation of `host_kinds.Kind`."""

from __future__ import annotations

from typing import Any

import numpy as np

SHAPE = (2, 3, 4, 16)
"""Of a tensor; a part of it is [images, C, pixels]."""

log: list[str] = []


class Noted(np.ndarray):
    """A tensor, known by the bytes of its elements, or a part of one in the cache, ``c``."""

    cached = False

    def __array_finalize__(self, of: Any) -> None:
        self.cached = getattr(of, "cached", False)

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **kwargs: Any) -> Any:
        out = kwargs.get("out", ())
        kwargs |= {"out": tuple(map(plain, out))} if out else {}
        result = getattr(ufunc, method)(*map(plain, inputs), **kwargs)
        read = {id(each): each for each in inputs if isinstance(each, Noted)}
        size = max([each.size for each in (*read.values(), *out)], default=0)
        if np.size(result) != size:
            note(read.values(), "")
            return result
        made = out[0] if out else as_noted(result, self.cached)
        note(read.values(), symbol(made))
        return made

    def __setitem__(self, key: Any, value: Any) -> None:
        """A number of any other array was made in the cache."""
        read = "" if np.ndim(value) == 0 else symbol(value)
        log.append(f"{read}>{symbol(self)}")
        plain(self)[key] = plain(value)

    def astype(self, dtype: Any, *more: Any, **also: Any) -> Any:
        found = as_noted(plain(self).astype(dtype, *more, **also), self.cached)
        log.append(f"{symbol(self)}>{symbol(found)}")
        return found

    def copy(self, *more: Any) -> Any:
        log.append(f"{symbol(self)}>{symbol(self)}")
        return as_noted(plain(self).copy(), self.cached)


def plain(x: Any) -> Any:
    return x.view(np.ndarray) if isinstance(x, Noted) else x


def as_noted(x: Any, cached: bool) -> Noted:
    found = np.asarray(x).view(Noted)
    found.cached = cached
    return found


def symbol(x: Any) -> str:
    return str(x.itemsize) if isinstance(x, Noted) and not x.cached else "c"


def note(read: Any, made: str) -> None:
    log.append(f"{''.join(map(symbol, read))}>{made}")


class Namespace:
    """NumPy, with whole tensors and parts of them noted."""

    def __getattr__(self, name: str) -> Any:
        return getattr(np, name)

    def empty(self, shape: Any, dtype: Any = float) -> Any:
        """A tensor, or room for parts of one."""
        found = np.empty(shape, dtype)
        images, channels, *size = SHAPE
        if shape == SHAPE:
            return as_noted(found, cached=False)
        room = len(found.shape) == 4 and found.shape[2:] == (channels, np.prod(size))
        return as_noted(found, cached=True) if room else found

    def einsum(self, how: str, *arrays: Any) -> Any:
        note({id(each): each for each in arrays}.values(), "")
        return np.einsum(how, *map(plain, arrays))

    def asarray(self, x: Any, dtype: Any) -> Any:
        return x if isinstance(x, Noted) and x.dtype == dtype else np.asarray(x, dtype)


class CachedNamespace(Namespace):
    """NumPy where every array stays in the cache."""

    def empty(self, shape: Any, dtype: Any = float) -> Any:
        return as_noted(np.empty(shape, dtype), cached=True)


def tensor(dtype: Any, most: int = 50) -> Any:
    """Of `SHAPE`, 1 .. ``most`` − 1."""
    values = np.random.default_rng(0).integers(1, most, SHAPE).astype(dtype)
    return as_noted(values, cached=False)
