"""Who was in a room at some place of its journal, and whether it was paused: from records alone."""

from collections.abc import Iterable
from typing import Any

from orders.broker.records import Kind, Record


def standing(story: Iterable[Record], position: int) -> dict[str, Any]:
    """The room as it stood once everything up to `position` had happened.

    `story` holds the control records about who was present, oldest first. The answer has
    `paused` and `participants`, as a snapshot of the room has them; of participants what the
    journal knows: `name`, `types`, `ack`, `echo` and `since` (milliseconds).
    """
    present: dict[str, dict[str, Any]] = {}
    paused = False
    for record in story:
        if record.position > position:
            break
        data = record.data
        match record.kind:
            case Kind.JOINED:
                known = {key: data[key] for key in ("name", "types", "ack", "echo")}
                present[data["name"]] = {**known, "since": record.at}
            case Kind.LEFT if data["name"] is None:
                present.clear()
            case Kind.LEFT:
                present.pop(data["name"], None)
            case Kind.SUBSCRIBED if data["name"] in present:
                present[data["name"]]["types"] = data["types"]
            case Kind.PAUSED:
                paused = data["paused"]
    return {"paused": paused, "participants": list(present.values())}
