"""Handshake and frames as a page shows them: JSON, in which what is secret is dots. Pure."""

import base64
import hashlib
from collections.abc import Iterable
from typing import Any

from orders.classroom.wire_frames import KINDS, PING, PONG, TEXT, Frame, text_of
from orders.classroom.wire_secrets import (
    HIDDEN,
    Spans,
    hide,
    is_secret_name,
    secrets_in,
    shown_around,
)

GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # the same for every WebSocket (RFC 6455, 1.3)
MOST = 4096  # bytes that are shown of a request, and of an answer
BYTE = "••"  # one that is hidden, where others are two hexadecimal digits

Headers = Iterable[tuple[str, str]]


def accept(key: str) -> dict[str, str]:
    """`Sec-WebSocket-Accept` step by step: key and GUID joined, its SHA-1 in hex, in base64."""
    digest = hashlib.sha1((key + GUID).encode("latin-1", "replace"), usedforsecurity=False)
    return {
        "key": key,
        "guid": GUID,
        "joined": key + GUID,
        "sha1": digest.hexdigest(),
        "accept": base64.b64encode(digest.digest()).decode(),
    }


def message(line: str, headers: Headers) -> dict[str, Any]:
    """A request or an answer as it is shown: `{"line", "headers": [[name, value], …], "cut"}`.

    `cut` is how many headers are left out to save room.
    """
    line = hide(line, secrets_in(line, address=True))[:MOST]
    room, shown, cut = MOST - len(line), [], 0
    for name, value in headers:
        secret = is_secret_name(name)
        value = HIDDEN if secret else hide(value, secrets_in(value, address=True))
        size = len(name) + len(value) + 4
        if size <= room:
            shown.append([name, value])
            room -= size
        else:
            cut += 1
    return {"line": line, "headers": shown, "cut": cut}


def shown(frame: Frame, *, sender: str, number: int, at: int) -> dict[str, Any]:
    """One frame, `number` of its connection, from `client` or `server`, at epoch milliseconds.

    `raw` is the payload as it crossed the wire, in hexadecimal; `plain` what it became, where that
    is something else; `text` the same as text; `cut` how many bytes of it are left out.
    """
    spans = _hidden_of(frame)
    shape: dict[str, Any] = {
        "number": number,
        "at": at,
        "from": sender,
        "fin": frame.fin,
        "rsv": frame.rsv,
        "opcode": frame.opcode,
        "kind": frame.kind,
        "masked": frame.key is not None,
        "key": frame.key.hex() if frame.key else None,
        "length": frame.length,
        "form": frame.form,
        "head": frame.head.hex(),
        "raw": BYTE * len(frame.raw) if frame.compressed and spans else _hex(frame.raw, spans),
        "cut": frame.came - len(frame.raw),
    }
    if frame.key is not None or frame.compressed:
        shape["plain"] = _hex(frame.plain, spans)
    if frame.of == TEXT or frame.opcode in (PING, PONG):
        shape["text"] = _text(frame.plain, spans)
    if frame.of is not None and frame.opcode == 0:
        shape["continues"] = KINDS[frame.of]
    if frame.compressed:
        shape["compressed"] = True
    if frame.close is not None:
        code, words, _ = frame.close
        begun = [(max(begin - 2, 0), end - 2) for begin, end in spans if end > 2]
        shape["close"] = {"code": code, "words": words, "reason": _text(frame.plain[2:], begun)}
    if frame.truncated:
        shape["missing"] = frame.length - frame.came
    if frame.wrong:
        shape["wrong"] = frame.wrong
    return shape


def _hidden_of(frame: Frame) -> Spans:
    """What of a frame's plain bytes is secret; the name of it may stand in a frame before."""
    before = len(frame.said) - len(frame.plain)
    spans = secrets_in(frame.said.decode("latin-1"))
    return [(max(begin - before, 0), end - before) for begin, end in spans if end > before]


def _hex(data: bytes, spans: Spans) -> str:
    return shown_around(data, spans, bytes.hex, lambda hidden: BYTE * len(hidden))


def _text(data: bytes, spans: Spans) -> str:
    return shown_around(data, spans, text_of, lambda _: HIDDEN)
