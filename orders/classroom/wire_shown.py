"""A frame as a page shows it and a file keeps it: JSON, in which what is secret is dots. Pure."""

from typing import Any

from orders.classroom.wire_frames import KINDS, PING, PONG, TEXT, Frame, text_of
from orders.classroom.wire_secrets import HIDDEN, Spans, secrets_in

BYTE = "••"  # one that is hidden, where others are two hexadecimal digits


def shown(frame: Frame, *, sender: str, number: int, at: int) -> dict[str, Any]:
    """One frame, `number` of its connection, from `client` or `server`, at epoch milliseconds.

    `raw` is the payload as it crossed the wire, in hexadecimal; `plain` what it became, where that
    is something else; `text` the same as text; `cut` how many bytes of it are left out.
    """
    spans = _hidden_of(frame)
    told: dict[str, Any] = {
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
        told["plain"] = _hex(frame.plain, spans)
    if frame.of == TEXT or frame.opcode in (PING, PONG):
        told["text"] = _text(frame.plain, spans)
    if frame.of is not None and frame.opcode == 0:
        told["continues"] = KINDS[frame.of]
    if frame.compressed:
        told["compressed"] = True
    if frame.close is not None:
        code, words, _ = frame.close
        begun = [(max(begin - 2, 0), end - 2) for begin, end in spans if end > 2]
        told["close"] = {"code": code, "words": words, "reason": _text(frame.plain[2:], begun)}
    if frame.truncated:
        told["missing"] = frame.length - frame.came
    if frame.wrong:
        told["wrong"] = frame.wrong
    return told


def _hidden_of(frame: Frame) -> Spans:
    """What of a frame's plain bytes is secret; the name of it may stand in a frame before."""
    before = len(frame.said) - len(frame.plain)
    spans = secrets_in(frame.said.decode("latin-1"))
    return [(max(begin - before, 0), end - before) for begin, end in spans if end > before]


def _hex(data: bytes, spans: Spans) -> str:
    parts, at = [], 0
    for begin, end in spans:
        parts += [data[at:begin].hex(), BYTE * (min(end, len(data)) - begin)]
        at = end
    return "".join([*parts, data[at:].hex()])


def _text(data: bytes, spans: Spans) -> str:
    parts, at = [], 0
    for begin, end in spans:
        parts += [text_of(data[at:begin]), HIDDEN]
        at = end
    return "".join([*parts, text_of(data[at:])])
