"""Those who give work back take it slowly: else a few of them make dead letters of everybody's.

A worker that nacked an event takes one of its type at a time until it acks one, and waits before
each: 1 second, then 2, 4, … 30; always 1 where nobody else works on the type. This follows its
session, else its name, so coming back changes nothing.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

from orders.broker.leases import Leases
from orders.broker.participants import Participant
from orders.broker.room_state import RoomState
from orders.domain.envelope import folded

SHORTEST, LONGEST = 1.0, 30.0  # seconds
REMEMBERED = 10_000  # who nacked what, the newest

Key = tuple[str, str]  # who, and a type


@dataclass(slots=True, eq=False)
class _Nacks:
    """What `name` gave back of one type since it acked one: how often, and when it did last."""

    name: str
    count: int = 0
    at: float = 0.0


@dataclass(slots=True, eq=False)
class Backoff:
    """Who in a room has to wait for which type. Times are a steady clock's seconds."""

    _nacks: dict[Key, _Nacks] = field(default_factory=dict)
    _waiting: dict[Key, _Nacks] = field(default_factory=dict)  # those who may not take one yet

    def nacked(self, participant: Participant, type: str, now: float) -> None:
        """It gave an event of this type back."""
        key = _key(participant, type)
        nacks = self._nacks.pop(key, None) or _Nacks(participant.name)
        nacks.name, nacks.count, nacks.at = participant.name, nacks.count + 1, now
        self._nacks[key] = self._waiting[key] = nacks
        if len(self._nacks) > REMEMBERED:
            self._forget(next(iter(self._nacks)))

    def acked(self, participant: Participant, type: str) -> None:
        """It is done with an event of this type: it takes as before."""
        if self._nacks:
            self._forget(_key(participant, type))

    def _forget(self, key: Key) -> None:
        self._nacks.pop(key, None)
        self._waiting.pop(key, None)

    def allows(self, participant: Participant, type: str, leases: Leases) -> bool:
        """Whether it may take an event of this type now."""
        key = _key(participant, type) if self._nacks else None
        if key not in self._nacks:
            return True
        return key not in self._waiting and not leases.has_one(participant, type)

    def over(self, state: RoomState, now: float) -> Iterator[str]:
        """The types that somebody may take again from now on."""
        for key, nacks in list(self._waiting.items()):
            pause = LONGEST
            if now >= nacks.at + SHORTEST and _is_alone(state, nacks.name, key[1]):
                pause = nacks.count = 0
            elif nacks.count < 6:
                pause = SHORTEST * 2 ** (nacks.count - 1)
            if now >= nacks.at + pause:
                del self._waiting[key]
                yield key[1]


def _key(participant: Participant, type: str) -> Key:
    return participant.session or folded(participant.name), type


def _is_alone(state: RoomState, name: str, type: str) -> bool:
    return not any(one.works_on(type) for one in state.members.values() if one.name != name)
