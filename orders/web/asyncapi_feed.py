"""The observers' feed in the AsyncAPI document: what `/observe/{room}` sends, kind by kind."""

from typing import Any

from orders.broker.modes import Mode
from orders.domain.envelope import ROOM
from orders.web.observe import ObserveQuery
from orders.web.query import Query

Schema = dict[str, Any]

_NAME: Schema = {"type": "string"}
_ID: Schema = {"type": "string", "format": "uuid", "description": "the id of the event"}
_WORDS: Schema = {"type": "string"}
_COUNT: Schema = {"type": "integer", "minimum": 0}
_TYPES: Schema = {"type": "array", "items": {"type": "string"}}
_ROUND: Schema = {"type": "integer", "minimum": 1, "maximum": 2}
_MODE: Schema = {"title": "Mode", "type": "string", "enum": list(Mode)}
_ACK: Schema = {"title": "AckMode", "type": "string", "enum": ["auto", "manual"]}
_BOT: Schema = {"title": "Bot", "type": "object"}
_MODES: Schema = {"type": "object", "additionalProperties": _MODE}

#: What a record of each kind has besides `kind` and `at`.
KINDS: dict[str, dict[str, Schema]] = {
    "event": {"mode": _MODE, "event": {"$ref": "#/components/schemas/Envelope"}},
    "joined": {
        "name": _NAME,
        "types": _TYPES,
        "ack": _ACK,
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
    "released": {
        "event": _ID,
        "name": _NAME,
        "reason": _WORDS,
        "attempt": {"type": "integer", "minimum": 0, "description": "where this one did not count"},
    },
    "dead": {"event": _ID, "attempts": _COUNT, "reason": _WORDS},
    "retried": {"event": _ID},
    "discarded": {"event": _ID},
    "reset": {},
    "muted": {"name": _NAME, "lifted": {"type": "boolean"}},
    "kicked": {"name": _NAME, "lifted": {"type": "boolean"}},
    "locked": {"locked": {"type": "boolean"}},
    "leased": {"lease": {"type": ["number", "null"], "description": "seconds; null: the server's"}},
    "fault": {
        "id": {"type": ["string", "null"], "description": "null where all are lifted"},
        "name": {"type": ["string", "null"], "description": "null: everyone"},
        "fault": {"type": ["string", "null"]},
        "seconds": {"type": ["number", "null"], "description": "how long what lasts does"},
        "step": {"type": "string", "enum": ["set", "happened", "lifted"]},
        "event": {"type": ["string", "null"], "description": "what it happened to"},
        "words": _WORDS,
    },
    "asked": {
        "question": _WORDS,
        "asks": {"type": "string", "enum": ["receivers", "outcome"]},
        "text": _WORDS,
        "choices": {"type": "array", "items": {"type": "object"}, "description": "choice, text"},
        "round": _ROUND,
        "event": {"type": ["string", "null"], "description": "null: the next that comes"},
        "order": {"type": ["string", "null"], "description": "such as carol/5"},
    },
    "answered": {"question": _WORDS, "round": _ROUND},
    "closed": {"question": _WORDS, "round": _ROUND},
    "revealed": {
        "question": _WORDS,
        "text": _WORDS,
        "event": {"type": ["string", "null"], "description": "null: none came"},
        "truth": {"type": ["string", "null"], "description": "one of the choices"},
        "why": _WORDS,
        "so_far": {"type": "boolean", "description": "whether it may still change"},
        "votes": {"type": "array", "items": {"type": "object"}, "description": "of each round"},
    },
    "exercise": {"name": _NAME},
    "verdict": {
        "stage": {"type": "integer", "minimum": 1},
        "verdict": {"type": "string", "enum": ["passed", "failed", "unknown"]},
        "seed": {"type": "integer"},
        "check": _WORDS,
        "failure": {"type": ["object", "null"], "description": "sent, expected, came, hint"},
        "reason": {"type": ["string", "null"], "description": "why it is unknown"},
        "event": {"type": ["string", "null"], "description": "what it is about"},
    },
    "bots": {"bots": {"type": "array", "items": _BOT}},
    "slow": {"names": _TYPES},
    "journal": {"away": {"type": ["string", "null"], "description": "why it takes no writes"}},
    "refused": {"name": _NAME, "code": _WORDS, "message": _WORDS},
}


#: What not every record of a kind has: kind and field.
OPTIONAL = {("released", "attempt")}


def _record(kind: str, fields: dict[str, Schema]) -> Schema:
    at = {"type": "integer", "description": "epoch milliseconds, by the server's clock"}
    # A reset has no time, for nothing of the new beginning has happened yet.
    always = [field for field in fields if (kind, field) not in OPTIONAL]
    needed = ["kind", *always] if kind == "reset" else ["kind", "at", *always]
    return {
        "title": f"{kind.capitalize()}Record",
        "type": "object",
        "required": needed,
        "properties": {"kind": {"type": "string", "const": kind}, **fields, "at": at},
    }


SCHEMAS: dict[str, Schema] = {
    "Record": {
        "title": "Record",
        "oneOf": [{"$ref": f"#/components/schemas/{kind.capitalize()}Record"} for kind in KINDS],
    },
    **{f"{kind.capitalize()}Record": _record(kind, fields) for kind, fields in KINDS.items()},
}

MESSAGES: dict[str, Schema] = {
    "snapshot": {
        "name": "snapshot",
        "title": "Snapshot",
        "summary": "The room as it stands. Comes first; the same as GET /api/rooms/{room}.",
        "payload": {
            "title": "Snapshot",
            "type": "object",
            "required": ["snapshot"],
            "properties": {
                "snapshot": {"title": "RoomState", "type": "object"},
                "resumed": {"type": "boolean"},
            },
        },
    },
    "records": {
        "name": "records",
        "title": "Records",
        "summary": "What happened since, in the order of the journal, at most 20 batches a second.",
        "payload": {
            "title": "Records",
            "type": "object",
            "required": ["records", "skipped"],
            "properties": {
                "records": {"type": "array", "items": {"$ref": "#/components/schemas/Record"}},
                "skipped": {**_COUNT, "description": "left out, for the observer was behind"},
            },
        },
    },
}


def bindings(query: type[Query]) -> Schema:
    """What an upgrade may have in its query."""
    properties = {
        name: _given(field) for name, field in query.model_json_schema()["properties"].items()
    }
    schema = {"type": "object", "properties": properties}
    return {"ws": {"method": "GET", "query": schema, "bindingVersion": "0.1.0"}}


def _given(field: Schema) -> Schema:
    """The schema of a parameter that is there: null only stands for one that is not."""
    kinds = [kind for kind in field.pop("anyOf", []) if kind != {"type": "null"}]
    if field.get("default", ...) is None:
        del field["default"]
    del field["title"]
    return {**field, **kinds[0]} if kinds else field


CHANNEL: Schema = {
    "address": "/observe/{room}",
    "title": "Watching a room",
    "description": "An observer is no participant: nobody notices it, and it receives nothing.",
    "parameters": {"room": {"description": f"the room's name: {ROOM}"}},
    "messages": {name: {"$ref": f"#/components/messages/{name}"} for name in MESSAGES},
    "bindings": bindings(ObserveQuery),
}

OPERATION: Schema = {
    "action": "send",
    "summary": "You watch what happens to each event in a room.",
    "channel": {"$ref": "#/channels/observed"},
    "messages": [{"$ref": f"#/channels/observed/messages/{name}"} for name in MESSAGES],
}
