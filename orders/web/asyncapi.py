"""The wire contract as AsyncAPI 3.0, made from the models that the server itself reads and writes.

`GET /asyncapi.json` answers with it, so a tool can draw the contract or generate a client.
"""

import inspect
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from orders import __version__
from orders.broker.messages import COMMANDS, SERVER_EVENTS
from orders.broker.modes import Mode
from orders.domain.envelope import NAME, ROOM, Event
from orders.domain.orders import OrderConfirmed, OrderPlaced, OrderRejected
from orders.errors import Close
from orders.settings import Settings
from orders.web import asyncapi_feed as feed

#: The events of the order workflow. A room carries any other type just as well.
ORDER_EVENTS: dict[str, type[BaseModel]] = {
    "order_placed": OrderPlaced,
    "order_confirmed": OrderConfirmed,
    "order_rejected": OrderRejected,
}
#: What goes both ways, what the broker alone says, and what it alone is told.
PASSED_ON, SAID_BY_BROKER, TOLD_TO_BROKER = (
    tuple(ORDER_EVENTS),
    tuple(SERVER_EVENTS),
    tuple(COMMANDS),
)

_SCHEMAS = "#/components/schemas/"
_MESSAGES = "#/components/messages/"
_CHANNEL = "#/channels/room"

_EXAMPLE = {
    "id": "69688550-5be2-41e4-a057-b9da2d59eb03",
    "type": "order_placed",
    "created": "1676554735324",
    "source": "alice",
    "data": {"id": 5},
}

_QUERY: dict[str, dict[str, Any]] = {
    "room": {"type": "string", "pattern": ROOM, "default": "main"},
    "name": {"type": "string", "pattern": NAME, "description": "who you are; a guest without it"},
    "types": {
        "type": "string",
        "default": "*",
        "description": "comma-separated types, or prefixes with a star: order_*",
    },
    "after": {
        "type": "string",
        "description": "the id of the last event you saw, or start: first what you missed",
    },
    "ack": {"type": "string", "enum": ["auto", "manual"], "default": "auto"},
    "prefetch": {
        "type": "integer",
        "minimum": 1,
        "maximum": 100,
        "default": 1,
        "description": "with ack=manual: how many unacknowledged events you may hold",
    },
    "echo": {"type": "boolean", "default": True, "description": "whether your own events return"},
    "quiet": {
        "type": "boolean",
        "default": False,
        "description": "true: no broker.welcome, no broker.accepted",
    },
    "session": {
        "type": "string",
        "minLength": 16,
        "maxLength": 64,
        "description": "a secret of your own: a new connection with it takes over the name",
    },
}


def document(settings: Settings, host: str, scheme: str = "http") -> dict[str, Any]:
    """The AsyncAPI 3.0 document of a server that is reached at `http://localhost:8080`, say."""
    models: dict[str, type[BaseModel]] = {
        "envelope": Event,
        **ORDER_EVENTS,
        **SERVER_EVENTS,
        **COMMANDS,
    }
    schemas = _schemas(models)
    messages = {name: _message(name, model) for name, model in models.items() if name != "envelope"}
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Orders",
            "version": __version__,
            "description": _description(settings),
            "license": {"name": "MIT"},
        },
        "defaultContentType": "application/json",
        "servers": {
            "here": {
                "host": host,
                "protocol": "wss" if scheme == "https" else "ws",
                "description": "No subprotocol is needed; `orders.v1` is answered if offered.",
            }
        },
        "channels": {
            "room": {
                "address": "/ws",
                "title": "A room",
                "description": "What is said in a room, to be had at `/` just as well.",
                "messages": {name: {"$ref": f"{_MESSAGES}{name}"} for name in messages},
                "bindings": {"ws": {"method": "GET", "query": _query(), "bindingVersion": "0.1.0"}},
            },
            "observed": feed.CHANNEL,
        },
        "operations": {
            "publish": _operation(
                "receive", "You send an event; it is stored, then dispatched.", PASSED_ON
            ),
            "hear": _operation(
                "send", "You hear the events that the room's modes give you.", PASSED_ON
            ),
            "be told": _operation("send", "The broker speaks for itself.", SAID_BY_BROKER),
            "tell": _operation("receive", "You tell the broker something.", TOLD_TO_BROKER),
            "watch": feed.OPERATION,
        },
        "components": {
            "schemas": {**schemas, **feed.SCHEMAS},
            "messages": {**messages, **feed.MESSAGES},
        },
    }


def _schemas(models: dict[str, type[BaseModel]]) -> dict[str, Any]:
    """Each model's JSON schema under the name of its event type, and whatever they refer to."""
    named, definitions = models_json_schema(
        [(model, "validation") for model in models.values()], ref_template=_SCHEMAS + "{model}"
    )
    inner = definitions.get("$defs", {})
    schemas = {}
    for name, model in models.items():
        reference: str = named[(model, "validation")]["$ref"]
        schemas[name] = inner.pop(reference.removeprefix(_SCHEMAS))
    for field in schemas["envelope"]["properties"].values():
        field.pop("default", None)  # "" only says inside the server that nobody has stamped it yet
    return {**schemas, **inner}


def _message(type: str, model: type[BaseModel]) -> dict[str, Any]:
    """A message: the envelope, with this type and this data in it."""
    return {
        "name": type,
        "title": type,
        "summary": _first_sentence(model),
        "payload": {
            "allOf": [
                {"$ref": f"{_SCHEMAS}envelope"},
                {
                    "type": "object",
                    "properties": {
                        "type": {"const": type},
                        "data": {"$ref": f"{_SCHEMAS}{type}"},
                    },
                },
            ]
        },
        **({"examples": [{"payload": _EXAMPLE}]} if type == _EXAMPLE["type"] else {}),
    }


def _operation(action: str, summary: str, types: tuple[str, ...]) -> dict[str, Any]:
    """An operation of the server: `receive` is what a client sends to it."""
    return {
        "action": action,
        "summary": summary,
        "channel": {"$ref": _CHANNEL},
        "messages": [{"$ref": f"{_CHANNEL}/messages/{type}"} for type in types],
    }


def _query() -> dict[str, Any]:
    return {"type": "object", "properties": _QUERY}


def _first_sentence(model: type[BaseModel]) -> str:
    return (inspect.getdoc(model) or model.__name__).split("\n\n")[0].replace("\n", " ")


def _description(settings: Settings) -> str:
    """What no schema can say, in a few lines of Markdown."""
    rate = f"{settings.rate:g} a second and {settings.burst} at once" if settings.rate else "any"
    closes = ", ".join(f"{code.value} {code.name.lower().replace('_', ' ')}" for code in Close)
    return (
        "Every message is an event: one JSON object in one text message. Each of your own events is"
        " answered by exactly one `broker.accepted` or `broker.error`, in the order sent; a wrong"
        " one leaves the connection open.\n\n"
        f"A room dispatches each type by its mode: {', '.join(Mode)}. A message may be"
        f" {settings.max_message} bytes long; events a participant may send: {rate}."
        f"\n\nClose codes: {closes}."
    )
