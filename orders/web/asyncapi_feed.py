"""The observers' feed in the AsyncAPI document: what `/observe/{room}` tells, kind by kind."""

from typing import Any

from orders.broker.modes import Mode
from orders.domain.envelope import ROOM

Schema = dict[str, Any]

_NAME: Schema = {"type": "string"}
_ID: Schema = {"type": "string", "format": "uuid", "description": "the id of the event"}
_WORDS: Schema = {"type": "string"}
_COUNT: Schema = {"type": "integer", "minimum": 0}
_TYPES: Schema = {"type": "array", "items": {"type": "string"}}
_MODE: Schema = {"type": "string", "enum": list(Mode)}
_MODES: Schema = {"type": "object", "additionalProperties": _MODE}

#: What a record of each kind has beside `kind` and `at`.
KINDS: dict[str, dict[str, Schema]] = {
    "event": {"mode": _MODE, "event": {"$ref": "#/components/schemas/envelope"}},
    "joined": {
        "name": _NAME,
        "types": _TYPES,
        "ack": {"type": "string", "enum": ["auto", "manual"]},
        "echo": {"type": "boolean"},
        "after": {"type": "boolean", "description": "whether it asked for what it missed"},
        "was": {"type": ["string", "null"], "description": "its name before"},
    },
    "left": {"name": {"type": ["string", "null"], "description": "null: all, at a restart"}},
    "subscribed": {"name": _NAME, "types": _TYPES},
    "modes": {"modes": _MODES},
    "paused": {"paused": {"type": "boolean"}},
    "stepped": {"event": _ID},
    "handed": {
        "event": _ID,
        "name": _NAME,
        "attempt": {"type": "integer", "minimum": 1},
        "lease": {"type": ["number", "null"], "description": "seconds; null with ack=auto"},
    },
    "settled": {"event": _ID, "name": _NAME},
    "released": {"event": _ID, "name": _NAME, "reason": _WORDS},
    "dead": {"event": _ID, "attempts": _COUNT, "reason": _WORDS},
    "retried": {"event": _ID},
    "discarded": {"event": _ID},
    "reset": {},
    "bots": {"bots": {"type": "array", "items": {"type": "object"}}},
    "slow": {"names": _TYPES},
}


def _record(kind: str, fields: dict[str, Schema]) -> Schema:
    at = {"type": "integer", "description": "epoch milliseconds, by the server's clock"}
    told = {"kind": {"const": kind}, **fields}
    # A reset is told without a time, for nothing of the new beginning has happened yet.
    needed = ["kind", *fields] if kind == "reset" else ["kind", "at", *fields]
    return {"type": "object", "required": needed, "properties": {**told, "at": at}}


SCHEMAS: dict[str, Schema] = {
    "record": {"oneOf": [_record(kind, fields) for kind, fields in KINDS.items()]}
}

MESSAGES: dict[str, Schema] = {
    "snapshot": {
        "title": "The room as it stands",
        "summary": "Comes first; the same as GET /api/rooms/{room}.",
        "payload": {
            "type": "object",
            "required": ["snapshot"],
            "properties": {"snapshot": {"type": "object"}},
        },
    },
    "records": {
        "title": "What happened since",
        "summary": "In the order of the journal, at most 20 batches a second.",
        "payload": {
            "type": "object",
            "required": ["records", "skipped"],
            "properties": {
                "records": {"type": "array", "items": {"$ref": "#/components/schemas/record"}},
                "skipped": {**_COUNT, "description": "left out, for the observer was behind"},
            },
        },
    },
}

CHANNEL: Schema = {
    "address": "/observe/{room}",
    "title": "Watching a room",
    "description": "An observer is no participant: nobody notices it, and it receives nothing.",
    "parameters": {"room": {"description": f"the room's name: {ROOM}"}},
    "messages": {name: {"$ref": f"#/components/messages/{name}"} for name in MESSAGES},
    "bindings": {
        "ws": {
            "method": "GET",
            "query": {
                "type": "object",
                "properties": {
                    "after": {"type": "string", "description": "an event's id, or start"}
                },
            },
            "bindingVersion": "0.1.0",
        }
    },
}

OPERATION: Schema = {
    "action": "send",
    "summary": "You watch what happens to each event in a room.",
    "channel": {"$ref": "#/channels/observed"},
    "messages": [{"$ref": f"#/channels/observed/messages/{name}"} for name in MESSAGES],
}
