"""Why a text is not JSON: one sentence with the cause, what was expected, and an example.

`json` says where it stumbled; what stands there, and before it, says why. Both tables are read
from the top: the first pattern that fits explains the text.
"""

import json
import re

EXAMPLE = '{"type": "order_placed", "data": {"id": 5}}'

#: What can be told from how the whole text begins. A text may be long: what repeats is bounded.
_BEGINNINGS: list[tuple[str, str]] = [
    (r"\s*\Z", "The message is empty; an event is one object, such as {example}."),
    (
        r"\[object \w+\]",
        "{there} is the text that JavaScript makes of an object; send JSON, such as"
        " socket.send(JSON.stringify({example})).",
    ),
    (
        r"\d{1,3}(-\w{1,60})?[\[{/]|2probe",
        "{there} is a frame of Socket.IO; this is a plain WebSocket: connect with"
        " new WebSocket(…) instead of io(…), and send JSON such as {example}.",
    ),
    (
        r"[\x00-\x08\x0b\x0c\x0e-\x1f]",
        "The text begins with a character that no text has, as UTF-16, gzip or another protocol"
        " (MQTT) has them; send one JSON object as a text in UTF-8, such as {example}.",
    ),
    (
        r"[^\x1e]{0,1000}\x1e",
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
    (
        r"<[\w.]{1,60} object|<class|[A-Z]\w{0,60}\(|dict\(",
        "{there} is how Python shows an object; send JSON, such as"
        " socket.send(json.dumps({example})).",
    ),
    (r"\s*<", "{there} is HTML or XML; an event is one JSON object, such as {example}."),
    (
        r"%7[Bb]|%22",
        "{there} is encoded for the address of a page; send the JSON as it is, such as {example},"
        " without encodeURIComponent.",
    ),
    (r"eyJ[\w+/=-]+\s*\Z", "{there} is Base64; send the JSON as it is, such as {example}."),
    (
        r"[\w.]{1,60}=[^={]",
        "{there} is written like a form or a program; an event is one JSON object, such as"
        " {example}.",
    ),
    (
        r"([a-z]{1,20} )?[a-zA-Z]\w{0,60}( ?[:=])? ?(?=\{)",
        "{found} stands before what is to be sent; a message is one JSON object and nothing else,"
        " such as {example}.",
    ),
]

_UNFILLED = (
    "A placeholder that was not filled in stands at {there}; let JSON.stringify or json.dumps write"
    " the whole event, such as socket.send(JSON.stringify({example}))."
)
#: What can be told from where `json` stumbled: what stands before it, what stands there.
_PLACES: list[tuple[str, str, str]] = [
    (
        r"^\s*\"[^\"]*\"\s*\Z",
        r":",
        "The bracket {{ is missing at the beginning; an event is one object, such as {example}.",
    ),
    (
        r"",
        r"&(quot|#34|#x22);",
        "{found} stands at {there}, as HTML writes a quote; JSON wants the quote itself, such as"
        ' "type": "order_placed".',
    ),
    (
        r"[{,:\[]\s*\Z",
        r"\\[\"']",
        "A backslash stands before a quote at {there}; it belongs only within a text, such as"
        ' "type": "order_placed": call JSON.stringify or json.dumps only once.',
    ),
    (
        r"",
        r"\(",
        "A round bracket stands at {there}; JSON has {{ }} for an object and [ ] for a list, such"
        " as {example}.",
    ),
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
        r"[}\],]",
        "A comma too many stands before {there}; there is one between two fields and none after"
        " the last, such as {example}.",
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
        r"[+.\dxX_]",
        "At {there} a number is not written as JSON wants it; leave out zeros in front, a plus and"
        ' underscores, and write digits on both sides of a point, such as "price": 0.5.',
    ),
    (
        r"\"\s*\Z",
        r"=",
        'An equals sign stands at {there}; between name and value is a colon, such as "id": 5.',
    ),
    (
        r"(?<!\})\Z",
        r"[\x00-\x1f]",
        "A text is broken off by a line break, a tab or the like; within quotes it is written"
        r' \n or \t, such as "note": "two\nlines".',
    ),
    (
        r"(?<!\})\Z",
        r"\\",
        r"{there} is no escape that JSON knows; a backslash itself is written twice, such as"
        r' "note": "C:\\bob".',
    ),
    (
        r"\\\Z",
        r"",
        r"A backslash stands before {there}; within a text it is written twice, such as"
        r' "note": "C:\\bob".',
    ),
    (r"", r"\$\{", _UNFILLED),
    (r":\s*\{\s*\Z", r"\w+\s*\}", _UNFILLED),
    (
        r"\}\s*\Z",
        r"\0",
        "A zero byte (U+0000) stands behind the JSON; leave it out, such as {example}.",
    ),
    (
        r"",
        r"[\u00a0\u2000-\u200f\u2028-\u202f\u205f\u2060\u3000\ufeff]",
        "A space that is none of JSON's, and cannot be told from one, stands at {there}; delete it"
        " and type a space, such as {example}: pages and chats put it there.",
    ),
    (
        r":\s*\Z",
        r"[,}\]]",
        'A value is missing before {there}; one follows each colon, such as "id": 5.',
    ),
    (
        r"\"\Z",
        r"[^\s,:}\]]",
        "A text ends before {there}; a quote is missing before it, or a quote within the text must"
        r' be written as \", such as "note": "say \"hi\"".',
    ),
    (
        r"[:,\[]\s*\Z",
        r"[^\W\d]",
        "A text without quotes stands at {there}; JSON wants double ones around it, such as"
        ' "item": "espresso".',
    ),
]

_MORE = (
    "The JSON is complete before {there}, and nothing may follow it; leave that out, and send a"
    " second event in a message of its own, such as {example}."
)
#: What `json` says where nothing above fits.
_EXPECTED = {
    "Expecting ':' delimiter": (
        'A colon is missing before {there}; one stands between name and value, such as "id": 5.'
    ),
    "Expecting ',' delimiter": (
        "A comma, or the bracket that closes, is missing before {there}; a comma stands between two"
        ' fields, such as "id": 5, "item": "espresso".'
    ),
    "Expecting property name enclosed in double quotes": (
        "A name in double quotes is missing at {there}; in an object each value has one, such as"
        ' "id": 5.'
    ),
    "Expecting value": (
        "A value is missing at {there}; it is a text in double quotes, a number, true, false, null,"
        ' an object or a list, such as "id": 5.'
    ),
}
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
    place, expected = _stumbled(text)
    if place >= len(text.rstrip()):
        return _filled(_CUT_OFF, text, place)
    before, there = text[max(0, place - 40) : place], text[place : place + 200]
    for ending, beginning, sentence in _PLACES:
        if re.search(ending, before) and (found := re.match(beginning, there)):
            return _filled(sentence, text, place, found[0])
    sentence = _EXPECTED.get(expected, _NO_JSON) if place else _NO_JSON
    return _filled(_MORE if expected == "Extra data" else sentence, text, place)


def _stumbled(text: str) -> tuple[int, str]:
    """Where the text stops being JSON, and what `json` says there."""
    try:
        json.loads(text)
    except json.JSONDecodeError as error:
        place = len(text) if error.msg.startswith("Unterminated") else error.pos
        if error.msg.startswith("Illegal trailing comma"):  # Python 3.13: older ones go past it
            place = len(text) - len(text[place + 1 :].lstrip())
        return place, error.msg
    except (ValueError, RecursionError):
        pass  # too deep, or a number too long, before the place is reached
    return 0, ""


def _filled(sentence: str, text: str, place: int, found: str = "") -> str:
    texts = {
        "{example}": EXAMPLE,
        "{before}": shown(text[max(0, place - 20) : place]),
        "{found}": shown(found),
        "{there}": shown(text[place : place + 60]),
        "{{": "{",
        "}}": "}",
    }
    return re.sub("|".join(texts), lambda slot: texts[slot[0]], sentence)


def shown(text: str, most: int = 24) -> str:
    """What was sent, on one line and short enough for a sentence."""
    line = " ".join(text.split())
    return f"`{line[:most]}…`" if len(line) > most + 1 else f"`{line}`"
