"""What of a text is nobody else's business: the values of `Cookie`, `Authorization`, `session` and
`token`, whatever their case, and however they are encoded or wrapped. Pure.

A value is secret where the name before its `=` or `:` ends with one of these words. A name may be
percent-encoded, or stand in JSON within JSON: so a text is looked through as it is, then with one
layer of escapes taken off, and so on. How far a value goes is asked of every layer down to there.
"""

import re
from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

HIDDEN = "•••"
MOST_LAYERS = 8  # of escapes; a text with more of them, or with more secrets, is hidden as a whole
MOST_FOUND = 100

Spans = list[tuple[int, int]]
T = TypeVar("T", str, bytes)

_WORDS = "cookie|authorization|session|token"
_is_suspect = re.compile(rf"[%\\]|{_WORDS}", re.I).search
_is_secret = re.compile(rf"(?:{_WORDS})$", re.I).search
_NAME = re.compile(rf"({_WORDS})[\"'\\]*\s*([=:])\s*", re.I)
_ESCAPE = re.compile(r"%([0-9a-f]{2})|\\u00([0-9a-f]{2})|\\x([0-9a-f]{2})|\\([\\\"'/])", re.I)
_QUOTED = re.compile(r"\"(?:[^\"\\]|\\.)*|'(?:[^'\\]|\\.)*", re.S)
_NESTED = re.compile(r"[\[{].*", re.S)
_is_wrapped = re.compile(r"\\+[\"']").match
_REST_OF_LINE = re.compile(r"[^\r\n]*")
_IN_ADDRESS = re.compile(r"[^\s&#]*")
_BARE = {"=": re.compile(r"[^\s&#\"'<>]*"), ":": re.compile(r"[^\s,&}\]\"'<>]*")}


@dataclass(frozen=True, slots=True)
class _Layer:
    """A text without so many layers of escapes; `place` is where each character stood at first."""

    text: str
    place: Sequence[int]

    def inner(self) -> "_Layer":
        parts: list[str] = []
        places: list[int] = []
        at = 0
        for escape in _ESCAPE.finditer(self.text):
            code = escape[1] or escape[2] or escape[3]
            parts += [self.text[at : escape.start()], chr(int(code, 16)) if code else escape[4]]
            places += self.place[at : escape.start() + 1]
            at = escape.end()
        return _Layer("".join([*parts, self.text[at:]]), [*places, *self.place[at:]])


def secrets_in(text: str, *, address: bool = False) -> Spans:
    """The places (from, to) of what is secret in a text, in order; none overlap.

    In an address a value ends at `&` and nothing else.
    """
    if not _is_suspect(text):
        return []
    layers = [_Layer(text, range(len(text) + 1))]
    found: Spans = []
    while True:
        newest = layers[-1]
        for name in _NAME.finditer(newest.text):
            place = newest.place[name.end()]
            for layer in layers:
                found += _value(layer, bisect_left(layer.place, place), name, address)
            if len(found) > MOST_FOUND:
                return [(0, len(text))]
        if not _ESCAPE.search(newest.text):
            return _joined(found)
        if len(layers) == MOST_LAYERS:
            return [(0, len(text))]
        layers.append(newest.inner())


def is_secret_name(name: str) -> bool:
    """Whether a header of this name is secret: `Cookie`, `Orders-Session`, `X-Auth-Token`, …"""
    return bool(_is_secret(name))


def hide(text: str, spans: Spans) -> str:
    """The text with dots for what is secret."""
    return shown_around(text, spans, str, lambda _: HIDDEN)


def shown_around(data: T, spans: Spans, show: Callable[[T], str], dots: Callable[[T], str]) -> str:
    """What lies around these places is shown, and what lies in them becomes dots."""
    parts: list[str] = []
    at = 0
    for begin, end in spans:
        parts += [show(data[at:begin]), dots(data[begin:end])]
        at = end
    return "".join([*parts, show(data[at:])])


def _value(layer: _Layer, at: int, name: re.Match[str], address: bool) -> Iterator[tuple[int, int]]:
    """The place of the value that begins here, unless it does in a layer further in."""
    text = layer.text
    if _is_wrapped(text, at):
        return
    if address and name[2] == "=":
        value = _IN_ADDRESS.match(text, at)
    else:
        value = _QUOTED.match(text, at) or _NESTED.match(text, at)
    if value is None:
        is_line = name[2] == ":" and name[1].lower() in ("cookie", "authorization")
        value = (_REST_OF_LINE if is_line else _BARE[name[2]]).match(text, at)
    if value and value[0]:
        yield layer.place[at + (value[0][0] in "\"'")], layer.place[value.end()]


def _joined(spans: Spans) -> Spans:
    """In order, and what overlaps as one."""
    joined: Spans = []
    for begin, end in sorted(spans):
        if joined and begin <= joined[-1][1]:
            joined[-1] = joined[-1][0], max(end, joined[-1][1])
        elif end > begin:
            joined.append((begin, end))
    return joined
