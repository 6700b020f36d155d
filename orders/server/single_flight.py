"""What many ask for at the same time, and is worked out once for all of them."""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable
from typing import Generic, TypeVar

Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")


class SingleFlight(Generic[Key, Value]):
    """Keeps the `most` answers that were asked for last; one that failed is asked for again."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._kept: OrderedDict[Key, asyncio.Future[Value]] = OrderedDict()

    async def get(self, key: Key, work_out: Callable[[], Awaitable[Value]]) -> Value:
        """The answer for a key: `work_out`'s, which is only called where nobody did before."""
        answer = self._kept.get(key)
        if answer is None:
            answer = self._kept[key] = asyncio.ensure_future(work_out())
            if len(self._kept) > self._most:
                self._kept.popitem(last=False)
        else:
            self._kept.move_to_end(key)
        try:
            return await asyncio.shield(answer)  # others wait for it, too
        except Exception:  # whatever it was: the next to ask tries again
            self._kept.pop(key, None)
            raise

    def __len__(self) -> int:
        return len(self._kept)

    def clear(self) -> None:
        """Keep nothing."""
        self._kept.clear()
