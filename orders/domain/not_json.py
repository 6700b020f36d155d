"""Why a text is not JSON: one sentence with the cause, what was expected, and an example.

`json` says where it stumbled; what stands there, and before it, says why. Both tables are read
from the top: the first pattern that fits explains the text.
"""

import json
import re

EXAMPLE = '{"type": "order_placed", "data": {"id": 5}}'

#: What can be told from how the whole text begins.
_BEGINNINGS: list[tuple[str, str]] = [
    (r"\s*\Z", "The message is empty; an event is one object, such as {example}."),
    (
        r"\[object \w+\]",
        "{there} is the text that JavaScript makes of an object; send JSON, such as"
        " socket.send(JSON.stringify({example})).",
    ),
    (
        r"\d{1,3}(-\w+)?[\[{/]|2probe",
        "{there} is a frame of Socket.IO; this is a plain WebSocket: connect with"
        " new WebSocket(…) instead of io(…), and send JSON such as {example}.",
    ),
    (
        r"[^\x1e]*\x1e",
        "The text holds the character U+001E, as SignalR sends it; this is a plain WebSocket: send"
        " one JSON object in a message, such as {example}.",
    ),
    (
        r"(CONNECT|STOMP|SEND|SUBSCRIBE)\r?\n",
        "{there} is a frame of STOMP; an event is one JSON object, such as {example}.",
    ),
    (
        "\ufeff",
        "The text begins with a byte order mark (U+FEFF); it must begin with the object itself,"
        ' such as {example}: save the file as "UTF-8 without BOM".',
    ),
    (
        r"[bB]['\"]",
        "{there} is how Python shows bytes; send text, such as socket.send(json.dumps(event)).",
    ),
    (r"\s*<", "{there} is HTML or XML; an event is one JSON object, such as {example}."),
    (
        r"[\w.]+=[^=]",
        "{there} is written like a form or a program; an event is one JSON object, such as"
        " {example}.",
    ),
]

#: What can be told from where `json` stumbled: what stands before it, what stands there.
_PLACES: list[tuple[str, str, str]] = [
    (
        r"",
        r"[“”„‟«»″‘’‚‛‹›]",
        "Typographic quotes stand at {there}; JSON wants straight double ones, such as"
        ' "type": "order_placed": word processors and chats change them.',
    ),
    (
        r"",
        r"'",
        'Single quotes stand at {there}; JSON wants double ones, such as "type": "order_placed":'
        " let JSON.stringify(event) or Python's json.dumps(event) write it.",
    ),
    (
        r"",
        r"`",
        "Backticks stand at {there}; JSON wants double quotes, such as"
        ' "type": "order_placed": let JSON.stringify(event) write it.',
    ),
    (
        r"",
        r"//|/\*|#|<!--",
        "A comment stands at {there}; JSON has none: leave it out, such as {example}.",
    ),
    (
        r"",
        r"(None|True|False)\b",
        "{found} is Python; JSON has null, true and false: let json.dumps write it, such as"
        " socket.send(json.dumps(event)).",
    ),
    (
        r"",
        r"(?i:null|nil|true|false)\b",
        "{found} is not JSON, which has null, true and false in small letters, such as"
        ' "done": true.',
    ),
    (
        r"",
        r"undefined\b",
        "{found} is JavaScript; JSON has no such value: send null, or leave the field out, such as"
        " {example}.",
    ),
    (
        r",\s*\Z",
        r"[}\]]",
        "A comma stands before {there}; after the last field comes none, such as {example}.",
    ),
    (
        r"",
        r",\s*[}\]]",
        "A comma too many stands at {there}; after the last field comes none, such as {example}.",
    ),
    (
        r"[{,]\s*\Z",
        r"[^\W\d][\w$-]*\s*:",
        "A name without quotes stands at {there}; JSON wants double ones around it, such as"
        ' "type": "order_placed": let JSON.stringify(event) write it.',
    ),
    (
        r"\d,\s*\Z",
        r"\d",
        "A number goes on after a comma at {there}; JSON has a decimal point, such as"
        ' "price": 2.5.',
    ),
    (
        r"(?:\d|[:,\[]\s*)\Z",
        r"[+.\dxX]",
        "A number is written as JSON does not know it at {there}; it has no leading zero, no plus"
        ' and digits around its point, such as "id": 5 or "price": 0.5.',
    ),
    (
        r"\"\s*\Z",
        r"=",
        'An equals sign stands at {there}; between name and value is a colon, such as "id": 5.',
    ),
    (
        r"",
        r"[\x00-\x1f]",
        "A text is broken off by a line break, a tab or the like; within quotes it is written"
        r' \n or \t, such as "note": "two\nlines".',
    ),
    (
        r"",
        r"\\",
        r"{there} is no escape that JSON knows; a backslash itself is written twice, such as"
        r' "note": "C:\\bob".',
    ),
    (
        r":\s*\Z",
        r"[,}\]]",
        'A value is missing before {there}; one follows each colon, such as "id": 5.',
    ),
    (
        r"\"\s*\Z",
        r"[,}]",
        'A colon and a value are missing before {there}; each name has them, such as "id": 5.',
    ),
    (
        r"[}\]\"\d\w]\s*\Z",
        r"\"[^\"]*\"\s*:",
        "A comma is missing before {there}; one stands between two fields, such as"
        ' "id": 5, "item": "espresso".',
    ),
    (
        r"\"\Z",
        r"[^\s,:}\]]",
        "A text ends before {there}; a quote is missing before it, or one within the text is to be"
        r' written \", such as "note": "say \"hi\"".',
    ),
    (
        r"[:,\[]\s*\Z",
        r"[^\W\d]",
        "A text without quotes stands at {there}; JSON wants double ones around it, such as"
        ' "item": "espresso".',
    ),
]

_MORE = (
    "The JSON ends before {there}; nothing follows it, and a second event goes in a message of its"
    " own, such as {example}."
)
_CUT_OFF = (
    "The text ends too early, at {before}; each bracket and quote that opens must close, such as"
    " {example}."
)
_NO_JSON = "{there} is not JSON; an event is one object, such as {example}."


def why_not_json(text: str) -> str:
    """The sentence for a text that `json` cannot read."""
    for beginning, sentence in _BEGINNINGS:
        if found := re.match(beginning, text):
            return _filled(sentence, text, 0, found[0])
    place, is_whole = _stumbled(text)
    if place >= len(text.rstrip()):
        return _filled(_CUT_OFF, text, place)
    before, there = text[max(0, place - 40) : place], text[place : place + 200]
    for ending, beginning, sentence in _PLACES:
        if re.search(ending, before) and (found := re.match(beginning, there)):
            return _filled(sentence, text, place, found[0])
    return _filled(_MORE if is_whole else _NO_JSON, text, place)


def _stumbled(text: str) -> tuple[int, bool]:
    """Where the text stops being JSON, and whether a whole value stands before that."""
    try:
        json.loads(text)
    except json.JSONDecodeError as error:
        is_open = error.msg.startswith("Unterminated")
        return (len(text) if is_open else error.pos), error.msg == "Extra data"
    except (ValueError, RecursionError):
        pass  # too deep, or a number too long, before the place is reached
    return 0, False


def _filled(sentence: str, text: str, place: int, found: str = "") -> str:
    texts = {
        "{example}": EXAMPLE,
        "{before}": shown(text[max(0, place - 20) : place]),
        "{found}": shown(found),
        "{there}": shown(text[place : place + 60]),
    }
    return re.sub("|".join(texts), lambda slot: texts[slot[0]], sentence)


def shown(text: str, most: int = 24) -> str:
    """What was sent, on one line and short enough for a sentence."""
    line = " ".join(text.split())
    return f"`{line[:most]}…`" if len(line) > most + 1 else f"`{line}`"
