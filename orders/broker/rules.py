"""What the host set for a room: who is muted or removed, whether it is locked, how long a lease is.

It holds through resets and restarts, until the host lifts it. A person is known by the name, in
whatever case, and by marks: hashes of the session and of the device that it came with. Never by
the address, which a whole class shares.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from orders.broker.records import Kind, Record
from orders.domain.envelope import folded


@dataclass(frozen=True, slots=True)
class Rules:
    """`muted` and `kicked`: folded names with their marks. `admitted`: marks of those who were in
    when the room was locked. `lease`: seconds that an event may be held, None: as the server says.
    """

    locked: bool = False
    admitted: list[str] = field(default_factory=list)
    muted: dict[str, list[str]] = field(default_factory=dict)
    kicked: dict[str, list[str]] = field(default_factory=dict)
    lease: float | None = None

    def after(self, record: Record) -> "Rules":
        """The rules after a record of the host."""
        data = record.data
        if record.kind is Kind.LEASED:
            return replace(self, lease=data["lease"])
        if record.kind is Kind.LOCKED:
            return replace(self, locked=data["locked"], admitted=data["admitted"])
        is_mute = record.kind is Kind.MUTED
        people = dict(self.muted if is_mute else self.kicked)
        people.pop(folded(data["name"]), None)
        if not data["lifted"]:
            people[folded(data["name"])] = data["marks"]
        return replace(self, muted=people) if is_mute else replace(self, kicked=people)

    def mutes(self, name: str, marks: Iterable[str]) -> bool:
        """Whether the events of somebody are refused."""
        return bool(self.muted) and _knows(self.muted, name, marks)

    def keeps_out(self, name: str, marks: Iterable[str]) -> bool:
        """Whether somebody was removed, and may not come back."""
        return bool(self.kicked) and _knows(self.kicked, name, marks)

    def admits(self, marks: Iterable[str]) -> bool:
        """Whether somebody may come in as far as the lock goes."""
        return not self.locked or any(mark in self.admitted for mark in marks)


def _knows(people: dict[str, list[str]], name: str, marks: Iterable[str]) -> bool:
    known = {mark for theirs in people.values() for mark in theirs}
    return folded(name) in people or any(mark in known for mark in marks)
