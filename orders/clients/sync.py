"""A participant without `await`, for a first program."""

import asyncio
import threading
from collections.abc import Callable, Coroutine, Iterator
from functools import partial
from queue import SimpleQueue
from types import TracebackType
from typing import Any, Self, TypeVar

from orders.clients import participant
from orders.domain.envelope import Event

Answer = TypeVar("Answer")


class Participant:
    """The participant of `orders.clients.participant`, for plain `with` and `for`.

        with Participant("http://localhost:8080", name="alice") as alice:
            alice.publish("order_placed", {"id": 5})
            for event in alice:
                print(event.source, event.type, event.data)

    It takes the same arguments and raises the same errors. Ctrl-C ends the `with` block silently.
    """

    def __init__(self, *args: Any, **options: Any) -> None:
        self._inner = participant.Participant(*args, **options)
        self._loop = asyncio.new_event_loop()
        self._task: asyncio.Task[Any] | None = None

    @property
    def name(self) -> str | None:
        """What the room calls it."""
        return self._inner.name

    @property
    def room(self) -> str:
        return self._inner.room

    def publish(self, type: str, data: dict[str, Any], *, id: str | None = None) -> str:
        """Publish one event; return its id once the journal has it."""
        return self._wait(partial(self._inner.publish, type, data, id=id))

    def ack(self, event: Event | str) -> None:
        """You are done with an event, or the one with this id."""
        self._wait(partial(self._inner.ack, event))

    def nack(self, event: Event | str, reason: str = "") -> None:
        """You cannot do this work: let another try."""
        self._wait(partial(self._inner.nack, event, reason))

    def __iter__(self) -> Iterator[Event]:
        while (event := self._wait(self._next)) is not None:
            yield event

    async def _next(self) -> Event | None:
        return await anext(self._inner, None)

    def __enter__(self) -> Self:
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        try:
            self._wait(self._inner.__aenter__)
        except BaseException:
            self._stop()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> bool:
        self._wait(self._inner.close)
        self._stop()
        return kind is KeyboardInterrupt

    def _wait(self, work: Callable[[], Coroutine[Any, Any, Answer]]) -> Answer:
        """Have it done by the thread of the loop. Ctrl-C may come at any moment: it leaves no lock
        held that the other thread needs, and nothing begun that nobody waits for."""
        if not self._loop.is_running():
            raise RuntimeError(
                "This participant is not in the room: use it within its `with`, such as"
                " `with Participant(name='alice') as alice: …`."
            )
        done: SimpleQueue[asyncio.Task[Answer]] = SimpleQueue()

        def begin() -> None:
            self._task = self._loop.create_task(work())
            self._task.add_done_callback(done.put)

        self._loop.call_soon_threadsafe(begin)
        return done.get().result()

    def _stop(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()
