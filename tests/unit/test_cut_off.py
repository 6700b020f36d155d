"""Whose connection is cut off when too much output is unread in all."""

from typing import Any

import pytest

from orders.web.closing import cut_off_largest


class Reader:
    """A connection of which so much is unread."""

    def __init__(self, unread: int) -> None:
        self.size = unread
        self.is_cut = False

    def unread(self) -> int:
        return self.size

    def abort(self) -> None:
        self.is_cut = True


@pytest.mark.parametrize(
    ("sizes", "cut"),
    [([5, 1, 4], []), ([6, 1, 5], [0]), ([9, 20, 0, 8], [1, 0]), ([], [])],
)
def test_the_largest_is_cut_off_first_and_no_more_than_must_be(
    sizes: list[int], cut: list[int]
) -> None:
    readers: list[Any] = [Reader(size) for size in sizes]
    assert cut_off_largest(readers, 10) == len(cut)
    assert {number for number, reader in enumerate(readers) if reader.is_cut} == set(cut)
