"""Logs: one line an entry, on stderr, which nobody who sends us text can forge or flood."""

import logging
import re
import sys

import structlog
from structlog.typing import EventDict, WrappedLogger

from orders.clock import monotonic

# Control characters would move the cursor, bidirectional ones turn the line around.
_HARMFUL = re.compile(r"[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")
FLOOD = 5.0  # seconds in which what anybody can bring about is said once
#: How such words of aiohttp and asyncio begin, and what is said in their place, if not they.
OFTEN = {
    "Error handling request": "",
    "socket.accept() out of system resource": "Nobody else can connect: this process may open no"
    " more files (ulimit -n). It goes on as soon as some connections end.",
}


def escaped(text: str) -> str:
    """The text with whatever could deceive a reader written out."""
    return _HARMFUL.sub(lambda match: f"\\u{ord(match[0]):04x}", text)


def _escape(_: WrappedLogger, __: str, entry: EventDict) -> EventDict:
    trace = "exception"  # our own lines, not theirs
    return {
        key: escaped(value) if isinstance(value, str) and key != trace else value
        for key, value in entry.items()
    }


class _SaidOnce(logging.Filter):
    """Anybody can send malformed HTTP, or connect, as fast as they like: now and then one line."""

    def __init__(self) -> None:
        super().__init__()
        self._until = 0.0

    def filter(self, record: logging.LogRecord) -> bool:
        begins = next((word for word in OFTEN if record.getMessage().startswith(word)), None)
        if begins is None:
            return True
        now, record.exc_info = monotonic(), None
        if OFTEN[begins]:
            record.msg, record.args = OFTEN[begins], ()
        is_due = now >= self._until
        if is_due:
            self._until = now + FLOOD
        return is_due


def configure(as_json: bool = False) -> None:
    """Send every log, aiohttp's too, to stderr; `as_json` for programs."""
    shared: list[structlog.typing.Processor] = [
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        _escape,
    ]
    render: structlog.typing.Processor = (
        structlog.processors.JSONRenderer()
        if as_json
        else structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
    )
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.stdlib.BoundLogger,
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler()
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, render],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(logging.WARNING)
    # Anyone may offer any subprotocol, and comes in without it: no reason to say so.
    logging.getLogger("aiohttp.websocket").setLevel(logging.ERROR)
    for name in ("aiohttp.server", "asyncio"):
        logging.getLogger(name).filters = [_SaidOnce()]
