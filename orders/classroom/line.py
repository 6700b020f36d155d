"""The connection of one participant while faults are set on it: its transport, decorated."""

import asyncio
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Protocol

from pydantic_core import from_json

from orders.broker.participants import Participant, Transport
from orders.broker.room import Room
from orders.domain.envelope import is_uuid
from orders.errors import Close, OrdersError
from orders.server import Node
from orders.web.socket import Connection

LASTING = ("hold_in", "hold_out", "stall")
MOST_NAMED = 20  # events that one fault names in the journal


@dataclass(slots=True, eq=False)
class Fault:
    """One fault that was set and is not over. `named` counts the events that it named."""

    id: str
    kind: str
    timer: asyncio.TimerHandle | None = None
    named: int = 0


class Names(Protocol):
    """Hears what the faults of a line do."""

    def happened(self, room: Room, name: str, fault: Fault, event: str) -> None:
        """A fault did something to this event of this participant."""

    def kill(self, room: Room, name: str) -> None:
        """It is to die, if it is a bot."""


@dataclass(slots=True, eq=False)
class Line:
    """What passes between a participant and the broker, both ways, while faults are set on it.

    `incoming` is what the participant should have heard by now, `outgoing` what the broker should.
    """

    node: Node
    names: Names
    room: Room
    participant: Participant
    inner: Transport
    set: list[Fault] = field(default_factory=list)
    incoming: list[bytes] = field(default_factory=list)
    outgoing: list[str | bytes] = field(default_factory=list)

    def _find(self, *kinds: str) -> Fault | None:
        return next((fault for fault in self.set if fault.kind in kinds), None)

    def put(self, fault: Fault, seconds: float) -> None:
        """Set one more fault; what does not wait happens at once."""
        if fault.kind == "cut":
            self.inner.abort()
        elif fault.kind == "end_lease":
            self.node.queues.end_leases(self.room, self.participant)
        else:
            self.set.append(fault)
            if fault.kind in LASTING:
                loop = asyncio.get_running_loop()
                fault.timer = loop.call_later(seconds, self._over, fault)
        self._settle()

    def clear(self) -> None:
        """Drop what has not happened, and let go what is held."""
        for fault in self.set:
            if fault.timer is not None:
                fault.timer.cancel()
        self.set.clear()
        self._settle()

    def _over(self, fault: Fault) -> None:
        if fault in self.set:
            self.set.remove(fault)
        self._settle()

    def _settle(self) -> None:
        """Let go what nothing holds any more; be in the way only while there is a reason."""
        if self.incoming and not self._find("hold_in", "stall"):
            held, self.incoming = b"".join(self.incoming), []
            self.inner.write(held)
        if self.outgoing and not self._find("hold_out"):
            self.node.context.spawn(self._send_on())
        needed = bool(self.set or self.incoming or self.outgoing)
        self.participant.connect(self if needed else self.inner)
        self.participant.intercept = self.takes if needed else None

    async def _send_on(self) -> None:
        """What was held goes to the broker in its order; what comes meanwhile, behind it."""
        while self.outgoing and not self._find("hold_out"):
            text = self.outgoing.pop(0)
            self.participant.intercept = None
            busy = self.node.receive(self.participant, text)
            self.participant.intercept = self.takes
            try:
                if busy is not None:
                    await busy
            except OrdersError as error:
                self.close(Close.GOING_AWAY, error.code)
        self._settle()

    def _happens(self, fault: Fault, event: str, over: bool = True) -> None:
        if over:
            self._over(fault)
        fault.named += 1
        if fault.named <= MOST_NAMED:
            self.names.happened(self.room, self.participant.name, fault, event)

    # ── what it hears ───────────────────────────────────────────────────────────────────────

    def write(self, buffer: bytes) -> int:
        if fault := self._find("deliver_twice"):
            for frame, event in events_in(buffer):
                if event["source"] != self.participant.name:
                    buffer = buffer.replace(frame, frame + frame, 1)
                    self._happens(fault, event["id"])
                    break
        if holds := self._find("stall", "hold_in"):
            for _, event in events_in(buffer):
                self._happens(holds, event["id"], over=False)
            self.incoming.append(buffer)
            return self.unread()
        return self.inner.write(buffer)

    @property
    def is_lost(self) -> bool:
        return self.inner.is_lost

    def unread(self) -> int:
        """What a participant that stalls does not read counts, what the network holds does not."""
        held = sum(map(len, self.incoming)) if self._find("stall") else 0
        return self.inner.unread() + held

    def close(self, code: Close, message: str) -> None:
        self.clear()
        self.inner.close(code, message)

    def abort(self) -> None:
        self.inner.abort()

    # ── what it sends ───────────────────────────────────────────────────────────────────────

    def takes(self, text: str | bytes) -> bool:
        """Whether a message of the participant goes no further, or not yet."""
        acked = acked_by(text)
        if acked and (fault := self._find("die_before_ack")):
            self._happens(fault, acked)
            self.names.kill(self.room, self.participant.name)
            return True
        if acked and (fault := self._find("lose_ack")):
            self._happens(fault, acked)
            return True
        holds = self._find("hold_out")
        if holds and acked:
            self._happens(holds, acked, over=False)
        if holds or self.outgoing:
            self.outgoing.append(text)
            return True
        return False


def connection_of(participant: Participant | None) -> Connection | None:
    """The connection of somebody who is connected here, whatever faults are set on it."""
    transport = participant.transport if participant else None
    transport = transport.inner if isinstance(transport, Line) else transport
    return transport if isinstance(transport, Connection) else None


def events_in(buffer: bytes) -> Iterator[tuple[bytes, dict[str, Any]]]:
    """The frames of a buffer that hold events of participants, and these."""
    at = 0
    while at < len(buffer):
        size, start = buffer[at + 1], at + 2
        if size == 126:
            (size,), start = struct.unpack_from("!H", buffer, at + 2), at + 4
        elif size == 127:
            (size,), start = struct.unpack_from("!Q", buffer, at + 2), at + 10
        event = from_json(buffer[start : start + size])
        if not event["type"].startswith("broker."):
            yield buffer[at : start + size], event
        at = start + size


def acked_by(text: str | bytes) -> str | None:
    """The id of the event that this message acks, if it is an ack."""
    try:
        said = from_json(text if isinstance(text, str) else "")
    except ValueError:
        return None
    if not isinstance(said, dict) or said.get("type") != "broker.ack":
        return None
    data = said.get("data")
    event = data.get("event") if isinstance(data, dict) else None
    return event if isinstance(event, str) and is_uuid(event) else None
