"""Room for the numbers of a long run outside the process's memory: in files without a name, which the kernel may page.

A dashboard that stays open beside a training for days must not take the memory that the training needs, and may forget
nothing: the rules look at the whole run. So what has grown large lies in mapped files. `let_go` gives back all of it
that is in memory at the moment; whoever reads it next has it read in again, most often from the kernel's cache.
"""

from __future__ import annotations

import ctypes
import mmap
import os
import tempfile
import weakref
from contextlib import suppress
from typing import Any

import numpy as np
from numpy.typing import NDArray

LEAST = 64 << 10  # bytes: what is smaller stays in memory
_ARENA_MAX, _MMAP_THRESHOLD = -8, -3  # numbers of mallopt(3)
_LARGE = 128 << 10  # bytes of a block that the allocator gives back to the system when it is freed
_ON_DISK = "/var/tmp"  # the files have no name; /tmp may itself be memory


class _Paging:
    """Whether large arrays lie in files, and those that do."""

    def __init__(self) -> None:
        self.on = False
        self.mapped: weakref.WeakSet[mmap.mmap] = weakref.WeakSet()


_paging = _Paging()


def page_out_from_now_on() -> None:
    """Put large arrays that are made from here on into files, where the machine can do that."""
    _paging.on = hasattr(os, "posix_fallocate") and hasattr(mmap, "MADV_DONTNEED")
    with suppress(OSError, AttributeError):  # another libc than GNU's
        libc = ctypes.CDLL(None)
        libc.mallopt(_ARENA_MAX, 1)  # an arena for each thread would keep what the other could use
        libc.mallopt(_MMAP_THRESHOLD, _LARGE)  # by itself it grows to 32 MB


def room(shape: tuple[int, ...], dtype: type[np.generic]) -> NDArray[Any]:
    """Return an array that holds anything yet; in a file where it is large and there is room on the disk."""
    size = int(np.prod(shape)) * np.dtype(dtype).itemsize
    if _paging.on and size >= LEAST:
        with suppress(OSError):  # no room, no right to write, too many files
            return np.frombuffer(_map(size), dtype).reshape(shape)
    return np.empty(shape, dtype)


def let_go() -> None:
    """Give back the memory that the mapped arrays take, and what freed ones have left behind."""
    if not _paging.on:
        return
    for mapped in list(_paging.mapped):
        mapped.madvise(mmap.MADV_DONTNEED)
    with suppress(OSError, AttributeError):  # another libc than GNU's
        ctypes.CDLL(None).malloc_trim(0)


def _map(size: int) -> mmap.mmap:
    """Return a mapped file of `size` bytes that is gone from the disk when nobody maps it any more.

    Raises:
        OSError: there is no room for it. (A write to a page for which there is none would end the process.)
    """
    folder = _ON_DISK if os.access(_ON_DISK, os.W_OK) else None
    with tempfile.TemporaryFile(dir=folder) as file:
        os.posix_fallocate(file.fileno(), 0, size)
        mapped = mmap.mmap(file.fileno(), size)
    _paging.mapped.add(mapped)
    return mapped
