"""What nodes agree on besides the journal: who has a name, whose session it is, who is alive."""

import contextlib
import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

from nats.aio.msg import Msg
from nats.errors import Error as NatsError
from nats.js.errors import APIError, KeyWrongLastSequenceError
from pydantic_core import from_json, to_json

from orders.broker.room_state import Member
from orders.clock import monotonic
from orders.domain.envelope import folded
from orders.errors import NotFound, OrdersError, StorageFailed
from orders.journal.base import NodeCallbacks
from orders.journal.nats import subjects
from orders.journal.nats.connection import NatsConnection
from orders.journal.nats.failures import Rejected, failure, unavailable
from orders.journal.nats.streams import bucket, nodes_seen

HEARTBEAT = 1.5  # seconds between two signs of life
ALIVE = 6.0  # seconds that one counts
EVENT_SIZE = 1024  # bytes that an event with all that is kept of it takes, mostly less
GONE = 3  # looks in a row at which a node is missed before it counts as gone


class Membership:
    """Names are free or taken on all nodes alike; `node` is this one."""

    def __init__(
        self, connection: NatsConnection, node: str, callbacks: NodeCallbacks, replicas: int
    ) -> None:
        self._connection, self.node, self._callbacks = connection, node, callbacks
        self._replicas = replicas
        self._missed: dict[str, int] = {}
        self._alive: set[str] = {node}
        self._known: set[str] = set()
        self._next = monotonic()
        self._well_since = self._next - ALIVE

    async def open(self) -> None:
        await self.make_buckets()
        await self._connection.nc.subscribe(f"orders.server.{self.node}", cb=self._asked)
        await self.beat()

    async def make_buckets(self) -> None:
        """Have the buckets; those that are there stay as they are."""
        here, replicas = self._connection, self._replicas
        self._names = await bucket(here, subjects.PRESENCE, replicas)
        self._sessions = await bucket(here, subjects.SESSIONS, replicas, 24 * 3600)
        self._nodes = await bucket(here, subjects.NODES, replicas, ALIVE)

    # ── names ───────────────────────────────────────────────────────────────────────────────

    async def take(self, room: str, name: str) -> bool:
        """Whether this node now has the name: it was free, or its node is gone."""
        key, value = _key(room, name), self.node.encode()
        try:
            await self._names.create(key, value)
            return True
        except KeyWrongLastSequenceError:
            pass
        except (NatsError, TimeoutError):
            raise unavailable() from None
        entry = await self._connection.kept(self._names.get(key))
        if entry is None:
            return await self.take(room, name)
        owner = (entry.value or b"").decode()
        # Whether a participant here has it, this node knows itself; the name is written again, so
        # that nobody who has left frees it now.
        if owner != self.node and await self._is_alive(owner):
            return False
        try:
            await self._names.update(key, value, last=entry.revision)
        except KeyWrongLastSequenceError:
            return False  # another node was faster
        except (NatsError, TimeoutError):
            raise unavailable() from None
        return True

    async def free(self, room: str, name: str, node: str) -> None:
        """A participant of a node has left, and the name is free, unless another has it by now."""
        key = _key(room, name)
        try:
            entry = await self._names.get(key)
            if (entry.value or b"").decode() == node:
                await self._names.delete(key, last=entry.revision)
        except (NatsError, TimeoutError):
            pass  # it is free once this node is gone

    # ── sessions ────────────────────────────────────────────────────────────────────────────

    async def keep(self, room: str, session: str, name: str) -> None:
        """Remember whose a session is, here: should this node die, another can tell."""
        value = f"{self.node} {name}".encode()
        await self._connection.kept(self._sessions.put(_session(room, session), value))

    async def take_over(
        self, room: str, session: str, mark: Sequence[str], members: Sequence[Member]
    ) -> str | None:
        """Put a participant with this session out of the room on another node: its name, which
        is this node's from then on, and so is the session. See `Engine.take_over`."""
        known = [one for one in members if set(mark) & set(one.marks)]
        owner, name = (known[0].node, known[0].name) if known else ("", "")
        entry = await self._connection.kept(self._sessions.get(_session(room, session)))
        if entry is not None:
            owner, _, name = (entry.value or b"").decode().partition(" ")
        if owner and owner != self.node:
            with contextlib.suppress(StorageFailed):  # it does not answer: its session is ours now
                name = await self._ask_for(owner, room, session, name)
        if not name or folded(name) in {folded(one.name) for one in members if one not in known}:
            return None
        holder, revision = await self._holder(room, name)
        # It may be another than the owner, where its name was written and its session was not.
        if holder == self.node:
            name = "" if self._callbacks.has_name(room, name) else name
        elif holder not in ("", owner) and await self._is_alive(holder):
            name = await self._ask_for(holder, room, session, name)
        if not name or (owner == self.node and not holder):
            return None
        if not await self._hold(room, name, revision):
            return await self.take_over(room, session, mark, members)
        await self.keep(room, session, name)
        return name

    async def _ask_for(self, node: str, room: str, session: str, name: str) -> str:
        """Have a node put out a participant with this session: its name; "" if it has none."""
        said = {"room": room, "session": session, "name": name}
        answer = await self.ask(node, action="take_over", **said)
        return answer.get("name") or ""

    async def _holder(self, room: str, name: str) -> tuple[str, int]:
        """The node that has a name, and the revision that says so; "" and 0 if none has."""
        entry = await self._connection.kept(self._names.get(_key(room, name)))
        return ((entry.value or b"").decode(), entry.revision or 0) if entry else ("", 0)

    async def _hold(self, room: str, name: str, revision: int) -> bool:
        """Have a name of which nothing was said since this revision; False where something was."""
        key, value = _key(room, name), self.node.encode()
        try:
            if revision:
                await self._names.update(key, value, last=revision)
            else:
                await self._names.create(key, value)
        except KeyWrongLastSequenceError:
            return False
        except (NatsError, TimeoutError):
            raise unavailable() from None
        return True

    # ── nodes ───────────────────────────────────────────────────────────────────────────────

    async def ask(self, node: str, **request: Any) -> Mapping[str, Any]:
        """Have another node do something: what it answers, or the error that it answers with."""
        try:
            message = await self._connection.nc.request(
                f"orders.server.{node}", to_json(request), self._connection.patience
            )
        except (NatsError, TimeoutError):
            raise unavailable() from None
        answer: dict[str, Any] = from_json(message.data)
        if error := answer.get("error"):
            raise NotFound(error["code"], error["message"])
        return answer

    async def _asked(self, message: Msg) -> None:
        try:
            answer = await self._callbacks.asked(from_json(message.data))
        except OrdersError as error:
            answer = {"error": {"code": error.code, "message": error.message}}
        await self._connection.say(message.reply, to_json(answer))

    async def beat(self) -> None:
        """Show that this node is alive, and see who else is."""
        clock = monotonic()
        if clock < self._next:
            return
        if clock > self._next + 2 * HEARTBEAT:
            self._well_since = clock  # we, or the servers, stood still: all signs may have run out
        self._next = clock + HEARTBEAT
        try:
            await self._nodes.put(self.node, b"")
            await self._look()
        except (NatsError, TimeoutError, StorageFailed):
            self._well_since = monotonic() + HEARTBEAT

    async def _look(self) -> None:
        """See who is alive."""
        alive = {self.node, *await nodes_seen(self._connection)}
        for node in self._known:
            self._missed[node] = 0 if node in alive else self._missed.get(node, 0) + 1
        self._alive = alive

    async def _is_alive(self, node: str) -> bool:
        """Whether a node shows signs of life, or is only not missed for long enough."""
        await self._look()
        return node in self._alive or monotonic() < self._well_since + ALIVE

    async def show(self) -> StorageFailed | None:
        """Write something that changes nothing, as large as an event: why that fails, or None."""
        try:
            await self._nodes.put(self.node, EVENT_SIZE * b" ")
        except APIError as error:
            return failure(Rejected(error.err_code or 0, str(error.description)))
        except (NatsError, TimeoutError):
            return await self._why_silent()
        return None

    async def _why_silent(self) -> StorageFailed:
        try:
            await self._connection.api("INFO")
        except StorageFailed as failed:
            return failed
        except Rejected as rejected:
            return failure(rejected)
        return self._connection.unanswered()

    def missing(self, nodes: set[str]) -> set[str]:
        """Which of these nodes are gone: missed several times in a row, while all else was well."""
        self._known |= nodes
        if monotonic() < self._well_since + ALIVE:
            return set()
        return {node for node in nodes if self._missed.get(node, 0) >= GONE}


def _session(room: str, session: str) -> str:
    """A bucket's key; nobody need be able to read the secret there."""
    return f"{room}.{hashlib.sha256(f'{room}/{session}'.encode()).hexdigest()[:32]}"


def _key(room: str, name: str) -> str:
    """A bucket's key: one for all spellings, without the dots, which mean something there."""
    return f"{room}.{folded(name).encode().hex()}"
