"""What is wrong with a message: a code for programs, and one sentence for who wrote it.

Each sentence says what was sent, what was expected, and gives an example. Only refused messages
come here, so it may take its time; the texts are tried in tests/data/mistakes.
"""

import json
import re
import unicodedata
from collections.abc import Callable, Mapping
from typing import Any

from pydantic import ValidationError
from pydantic_core import from_json

from orders.domain.not_json import EXAMPLE, shown, why_not_json
from orders.errors import Refused

MAX_DEPTH = 32
MAX_VALUES = 1_000  # of an event: each list, object, text, number, true, false and null

#: How each command is written. The broker reads them, see `broker.messages`.
COMMAND_EXAMPLES = {
    "broker.subscribe": '{"type": "broker.subscribe", "data": {"types": ["order_*"]}}',
    "broker.unsubscribe": '{"type": "broker.unsubscribe", "data": {"types": ["order_*"]}}',
    "broker.ack": '{"type": "broker.ack", "data": {"event": "<the id of the event>"}}',
    "broker.nack": '{"type": "broker.nack", "data": {"event": "<the id>", "reason": "busy"}}',
}

_FIELDS = ("id", "type", "created", "source", "data", "attempt")
#: What other protocols call `type` and `data`.
_LIKE_TYPE = {"event", "eventtype", "event_type", "eventname", "event_name", "messagetype"}
_LIKE_TYPE |= {"message_type", "kind", "topic", "action", "command", "cmd", "op", "method"}
_LIKE_DATA = {"payload", "body", "content", "message", "msg", "params", "args", "value"}
_is_type = re.compile(r"[a-z][a-z0-9_]*(\.[a-z0-9_]+)*").fullmatch


def explained(error: ValidationError, text: str | bytes) -> Refused:
    """Turn the first thing wrong with a text into a code and a sentence."""
    first = error.errors(include_url=False, include_context=True)[0]
    if first["type"] == "json_invalid":
        return _malformed(str(first.get("ctx", {}).get("error", "")), text)
    if first["type"] == "model_type":
        return Refused("not_an_object", _not_an_object(first["input"]))
    field = str(first["loc"][0])
    sent: dict[str, Any] = from_json(text)
    is_missing = first["type"] == "missing"
    other = next((_OTHERS[name] for name in _OTHERS if name in sent), None)
    if other:
        sentence = _another(other, field)
    elif is_missing:
        sentence = (_missing_type if field == "type" else _missing_data)(sent)
    elif field == "data" and sent["type"] in COMMAND_EXAMPLES:
        sentence = f"{_wrong_data(sent[field]).split(', such')[0]}, such as"
        sentence += f" {COMMAND_EXAMPLES[sent['type']]}."
    else:
        sentence = _WRONG[field](sent[field])
    if is_missing:
        return Refused(f"missing_{field}", sentence)
    return Refused(f"wrong_{field}", sentence)


def too_deep() -> Refused:
    return Refused(
        "too_deep",
        f"The event is nested deeper than {MAX_DEPTH} levels: flatten its `data`, such as"
        f" {EXAMPLE}.",
    )


def too_many_values(count: int | None = None) -> Refused:
    """None: nobody counted on."""
    held = f"{count:,}" if count else "far too many"
    return Refused(
        "too_many_values",
        f"The event holds {held} values, and at most {MAX_VALUES:,} are taken: send several"
        f" smaller events, such as {EXAMPLE}.",
    )


def not_finite() -> Refused:
    return Refused(
        "wrong_number",
        "A number is not finite (`NaN`, `Infinity` or too large): send a number, or null, instead,"
        f" such as {EXAMPLE}.",
    )


def _malformed(reason: str, text: str | bytes) -> Refused:
    """Say why a text is not JSON, or not the JSON that everybody reads alike."""
    if "recursion limit" in reason:
        return too_deep()
    if "hex escape" in reason or "surrogate" in reason:
        return Refused(
            "wrong_text",
            "A text holds half a character (a lone surrogate such as \\ud800): send whole ones,"
            ' such as "note": "☕".',
        )
    sent = text if isinstance(text, str) else text.decode(errors="replace")
    if "number out of range" in reason or _holds_nan(sent):
        return not_finite()
    return Refused("malformed_json", why_not_json(sent))


def _holds_nan(text: str) -> bool:
    may_hold = "NaN" in text or "Infinity" in text  # quickly seen, where a text is long
    return may_hold and bool(re.search(r"[:\[,]\s*-?(?:NaN|Infinity)", text))


def _not_an_object(sent: object) -> str:
    if isinstance(sent, str):
        try:
            is_event = isinstance(from_json(sent), dict)
        except ValueError:
            is_event = False
        if is_event:
            return (
                f"This is JSON within a JSON text ({short(sent)}); an event is the object itself,"
                f" such as {EXAMPLE}: call JSON.stringify or json.dumps only once."
            )
    if isinstance(sent, list):
        return (
            f"This is a list ({short(sent)}), not an object; an event is one object, such as"
            f" {EXAMPLE}: send each in a message of its own."
        )
    return (
        f"This is JSON, but {short(sent)} is not an object; an event is one object, such as"
        f" {EXAMPLE}."
    )


#: A field by which what another protocol sends is known.
_OTHERS = {"specversion": "CloudEvent", "jsonrpc": "call of JSON-RPC"}


def _another(protocol: str, field: str) -> str:
    return (
        f"This is a {protocol}, whose `{field}` does not fit; an event here has `id` (a UUID),"
        " `type`, `created` (milliseconds as a string), `source` (your name) and `data` (an"
        f" object), such as {EXAMPLE}: only `type` and `data` may not be left out."
    )


# ── what is missing ─────────────────────────────────────────────────────────────────────────────


def _missing_type(sent: Mapping[str, Any]) -> str:
    for name, value in sent.items():
        if isinstance(value, dict) and isinstance(value.get("type"), str):
            return (
                f"`type` is missing: the event stands within {shown(name)}; an event is the object"
                f" itself, such as {EXAMPLE}."
            )
        if name.lower() in {"type", *_LIKE_TYPE}:
            good = value if isinstance(value, str) and _is_type(value) else "order_placed"
            return (
                f"`type` is missing, and there is {shown(name)} instead; call that field `type`,"
                f' such as "type": "{good}".'
            )
    return (
        "`type` is missing; it says what happened, in the past tense, such as"
        ' "type": "order_placed".'
    )


def _missing_data(sent: Mapping[str, Any]) -> str:
    type = sent["type"]
    for command in (type, f"broker.{type}"):
        if command in COMMAND_EXAMPLES:
            return (
                f"`data` is missing; the command `{command}` says in it what it is about, such as"
                f" {COMMAND_EXAMPLES[command]}."
            )
    for name, value in sent.items():
        if name.lower() in {"data", *_LIKE_DATA}:
            good = json.dumps(value, ensure_ascii=False) if isinstance(value, dict) else "{…}"
            example = f'"data": {good}' if len(good) <= 60 else '"data": {…}'
            return (
                f"`data` is missing, and there is {shown(name)} instead; call that field `data`,"
                f" such as {example}."
            )
    beside = {name: value for name, value in sent.items() if name not in _FIELDS}
    if beside:
        example = json.dumps({"type": type, "data": beside}, ensure_ascii=False)
        return (
            f"`data` is missing, and {shown(next(iter(beside)))} stands beside `type`; what an"
            f" event says goes into `data`, such as {example if len(example) <= 120 else EXAMPLE}."
        )
    return '`data` is missing; an event carries a JSON object, such as "data": {"id": 5}.'


# ── what is wrong ───────────────────────────────────────────────────────────────────────────────


def _wrong_id(sent: object) -> str:
    if type(sent) is int or (isinstance(sent, str) and sent.isdigit()):
        return (
            f"`id` is {short(sent)}; the event's own id is a UUID or is left out, and an order's"
            f' number goes into `data`, such as "data": {{"id": {short(sent)}}}.'
        ).replace(f': "{sent}"', f": {sent}")
    return (
        f"`id` is {short(sent)}; it must be a UUID as a string, such as"
        ' "69688550-5be2-41e4-a057-b9da2d59eb03", or be left out.'
    )


def _wrong_type(sent: object) -> str:
    return (
        f"`type` is {short(sent)}; it must be lower-case words joined by `_`, of at most 64"
        f' characters in all, such as "{as_type(sent)}".'
    )


def as_type(sent: object) -> str:
    """The type of an event that was probably meant."""
    if isinstance(sent, str) and "*" not in sent:
        first = re.sub("[äöü]", r"\g<0>e", sent.split(",")[0][:64]).replace("ß", "ss")
        plain = unicodedata.normalize("NFKD", first).encode("ascii", "ignore").decode()
        words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", plain).lower()
        better = re.sub(r"[^a-z0-9_.]+", "_", words).strip("_.")
        if better != sent and _is_type(better):
            return better
    return "order_placed"


def _wrong_created(sent: object) -> str:
    is_number = isinstance(sent, int | float) and not isinstance(sent, bool)
    return (
        f"`created` is {'a number' if is_number else short(sent)}; the envelope wants a string of"
        ' milliseconds, such as "1676554735324"; or leave it out, and the broker writes it.'
    )


def wrong_source(sent: object) -> str:
    """The sentence for a name that is none."""
    good = "alice"
    if isinstance(sent, str):
        better = re.sub(r"[^\w.-]+", "-", sent).strip("-.")[:32]
        good = better if better and better != sent else good
    return (
        f"`source` is {short(sent)}; it must be a name of 1–32 letters, digits, `-`, `_` or `.`,"
        f' such as "{good}", or be left out.'
    )


def _wrong_data(sent: object) -> str:
    if isinstance(sent, str) and sent.lstrip().startswith("{"):
        return (
            f"`data` is the text {short(sent)}; it must be the object itself, such as"
            ' "data": {"id": 5}: call JSON.stringify or json.dumps only for the whole event.'
        )
    return f'`data` is {short(sent)}; it must be a JSON object, such as "data": {{"id": 5}}.'


_WRONG: dict[str, Callable[[object], str]] = {
    "id": _wrong_id,
    "type": _wrong_type,
    "created": _wrong_created,
    "source": wrong_source,
    "data": _wrong_data,
}


def short(value: object) -> str:
    """What was sent, as JSON, short enough for a sentence."""
    text = json.dumps(value, ensure_ascii=False, default=str)
    text = text.encode(errors="backslashreplace").decode()  # a query may hold half a character
    return text if len(text) <= 60 else text[:57] + "…"
