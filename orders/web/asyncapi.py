"""The wire contract as AsyncAPI 3.1, made from the models that the server itself reads and writes.

`GET /asyncapi.json` answers with it, so a tool can draw the contract or generate a client. Each
message has a type and title of its own (`OrderPlaced`), and so has its data (`OrderPlacedData`):
generated code is called after them.
"""

import inspect
from functools import cache
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema, models_json_schema

from orders import __version__
from orders.broker.messages import BROKER, COMMANDS, SERVER_EVENTS
from orders.broker.modes import Mode
from orders.domain.envelope import Event
from orders.domain.orders import OrderConfirmed, OrderPlaced, OrderRejected
from orders.errors import Close
from orders.settings import Settings
from orders.web import asyncapi_feed as feed
from orders.web.connect_options import ConnectOptions

Schema = dict[str, Any]

#: The events of the order workflow. A room carries any other type just as well.
ORDER_EVENTS: dict[str, type[BaseModel]] = {
    "order_placed": OrderPlaced,
    "order_confirmed": OrderConfirmed,
    "order_rejected": OrderRejected,
}

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
_ATTEMPT: Schema = {
    "title": "Attempt",
    "type": "integer",
    "minimum": 1,
    "readOnly": True,
    "description": "on what is handed over from a queue: which attempt this is. With ack=manual"
    " always, else from 2 on. One that a sender writes is dropped",
}


MODELS: dict[str, type[BaseModel]] = {**ORDER_EVENTS, **SERVER_EVENTS, **COMMANDS}


class _Untitled(GenerateJsonSchema):
    """Schemas without a title for each field: tools would make a type of every one."""

    def field_title_should_be_set(self, schema: Any) -> bool:  # noqa: ARG002 - its interface
        return False


def document(settings: Settings, host: str, scheme: str = "http") -> dict[str, Any]:
    """The AsyncAPI document of a server that is reached at `http://localhost:8080`, say."""
    return {
        "asyncapi": "3.1.0",
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
                "messages": {type: {"$ref": f"{_MESSAGES}{type}"} for type in MODELS},
                "bindings": feed.bindings(ConnectOptions),
            },
            "observed": feed.CHANNEL,
        },
        "operations": {
            "publish": _operation(
                "receive", "You send an event; it is stored, then dispatched.", ORDER_EVENTS
            ),
            "hear": _operation(
                "send", "You hear the events that the room's modes give you.", ORDER_EVENTS
            ),
            "hearBroker": _operation("send", "The broker speaks for itself.", SERVER_EVENTS),
            "command": _operation("receive", "You tell the broker something.", COMMANDS),
            "watch": feed.OPERATION,
        },
        "components": {
            "schemas": {**_schemas(), **feed.SCHEMAS},
            "messages": {
                **{type: _message(type, model) for type, model in MODELS.items()},
                **feed.MESSAGES,
            },
        },
    }


def title_of(type: str) -> str:
    """What a type of event is called in generated code: `broker.welcome` → `BrokerWelcome`."""
    return "".join(word.capitalize() for word in type.replace(".", "_").split("_"))


@cache
def _schemas() -> dict[str, Schema]:
    """The envelope, each event and its data, and whatever these refer to, by their titles."""
    envelope_and_data: list[type[BaseModel]] = [Event, *MODELS.values()]
    named, definitions = models_json_schema(
        [(model, "validation") for model in envelope_and_data],
        ref_template=_SCHEMAS + "{model}",
        schema_generator=_Untitled,
    )
    inner = definitions.get("$defs", {})

    def taken(model: type[BaseModel], title: str) -> Schema:
        reference: str = named[(model, "validation")]["$ref"]
        return {**inner.pop(reference.removeprefix(_SCHEMAS)), "title": title}

    envelope = taken(Event, "Envelope")
    for field in envelope["properties"].values():
        field.pop("default", None)  # "" only says inside the server that nobody has stamped it yet
    data = {f"{title_of(type)}Data": model for type, model in MODELS.items()}
    return {
        "Envelope": envelope,
        **{title_of(type): _event(type, envelope) for type in MODELS},
        **{title: taken(model, title) for title, model in data.items()},
        **{title: {**schema, "title": title} for title, schema in inner.items()},
    }


def _event(type: str, envelope: Schema) -> Schema:
    """The envelope with this type and its data in it."""
    title = title_of(type)
    own: Schema = {
        "type": {"type": "string", "const": type},
        "data": {"$ref": f"{_SCHEMAS}{title}Data"},
    }
    required = ["type", "data"]
    properties = own if type in COMMANDS else {**envelope["properties"], **own}
    if type in ORDER_EVENTS:
        properties["attempt"] = _ATTEMPT
    if type in SERVER_EVENTS:
        properties["source"] = {"type": "string", "const": BROKER}
        required = list(Event.model_fields)
    return {"title": title, "type": "object", "required": required, "properties": properties}


def _message(type: str, model: type[BaseModel]) -> Schema:
    return {
        "name": type,
        "title": title_of(type),
        "summary": _first_sentence(model),
        "payload": {"$ref": f"{_SCHEMAS}{title_of(type)}"},
        **({"examples": [{"payload": _EXAMPLE}]} if type == _EXAMPLE["type"] else {}),
    }


def _operation(action: str, summary: str, types: dict[str, Any]) -> Schema:
    """An operation of the server: `receive` is what a client sends to it."""
    return {
        "action": action,
        "summary": summary,
        "channel": {"$ref": _CHANNEL},
        "messages": [{"$ref": f"{_CHANNEL}/messages/{type}"} for type in types],
    }


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
