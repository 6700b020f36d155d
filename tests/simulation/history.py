"""What happened in a simulation, as those who took part saw it: a list of facts, and no more."""

import hashlib
import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

#: When it happened (virtual seconds), to whom, what, and the rest by name.
Fact = dict[str, Any]


@dataclass
class History:
    """Facts, oldest first. `journal` is what lay on the disk at the end: the epochs of each room,
    and in each its records."""

    facts: list[Fact] = field(default_factory=list)
    journal: dict[str, list[list[Fact]]] = field(default_factory=dict)

    def of(self, *whats: str, **wanted: Any) -> Iterator[Fact]:
        """The facts of these kinds in which these values stand."""
        for fact in self.facts:
            if fact["what"] in whats and all(fact.get(key) == wanted[key] for key in wanted):
                yield fact

    def digest(self) -> str:
        """The same for the same history."""
        text = json.dumps([self.facts, self.journal], sort_keys=True, default=str)
        return hashlib.sha256(text.encode()).hexdigest()[:16]


def events(epoch: list[Fact]) -> list[Fact]:
    """The records of an epoch that are events."""
    return [record for record in epoch if record["kind"] == "event"]


def in_one_epoch(history: History) -> set[str]:
    """The events that were not sent again after a reset, so that their id names one record."""
    epochs = history.journal.get("main", ())
    often = Counter(record["event"] for epoch in epochs for record in events(epoch))
    return {id for id, count in often.items() if count == 1}
