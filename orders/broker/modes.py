"""How a type of event is dispatched in a room.

relay    to every participant, whatever it subscribed to
pubsub   to every participant whose subscription matches the type
queue    to exactly one participant that works on the type (see `works_on`), never the sender
"""

import re
from collections.abc import Mapping
from enum import StrEnum

from orders.domain.mistakes import as_type, short
from orders.errors import Refused


class Mode(StrEnum):
    RELAY = "relay"
    PUBSUB = "pubsub"
    QUEUE = "queue"


RELAY, PUBSUB, QUEUE = Mode  # as `EVENT` in `records`

DEFAULT_MODES: Mapping[str, str] = {"*": Mode.RELAY}

#: A subscription's pattern: an exact type, a prefix with a star, or the star alone.
PATTERN = r"^(\*|[a-z][a-z0-9_.]{0,63}\*?)$"
MAX_PATTERNS = 64
_is_pattern = re.compile(PATTERN).fullmatch


def check_patterns(types: list[str]) -> frozenset[str]:
    """A subscription, or `Refused` with what is wrong with it."""
    for pattern in types:
        if not _is_pattern(pattern):
            raise Refused(
                "wrong_types",
                f"`types` holds {short(pattern)}; it lists types, or beginnings with a star at the"
                f" end, such as `{as_type(pattern)}` or `order_*`.",
            )
    return bounded(frozenset(types))


def bounded(types: frozenset[str]) -> frozenset[str]:
    """The same subscription, or `Refused` when it has grown too long."""
    if len(types) > MAX_PATTERNS:
        raise Refused(
            "wrong_types",
            f"`types` holds {len(types)} patterns; at most {MAX_PATTERNS} are taken: use beginnings"
            " with a star, such as `order_*`.",
        )
    return types


def matches(types: frozenset[str], type: str) -> bool:
    """Whether a subscription wants events of this type."""
    return (
        "*" in types
        or type in types
        or any(p.endswith("*") and type.startswith(p[:-1]) for p in types)
    )


def works_on(types: frozenset[str], ack: str, type: str) -> bool:
    """Whether who has this subscription takes events of this type from their queue.

    Patterns listen, exact names work: a console that only listens swallows no order. With
    ack=manual a pattern works, too.
    """
    return type in types or (ack == "manual" and matches(types, type))


def works(types: frozenset[str], ack: str) -> list[str]:
    """The types for which `works_on` holds; `["*"]`: all that the patterns match."""
    exact = sorted(one for one in types if not one.endswith("*"))
    return ["*"] if ack == "manual" and len(exact) < len(types) else exact


def changed(modes: Mapping[str, str], changes: Mapping[str, str | None]) -> dict[str, str]:
    """The modes after setting the types named; null removes one. `Refused` when a name is wrong."""
    for type, mode in changes.items():
        if type != "*" and (not _is_pattern(type) or type.endswith("*")):
            raise Refused(
                "wrong_modes", f'{type[:64]!r} is no type: name one such as "order_placed", or "*".'
            )
        if mode is not None and mode not in tuple(Mode):
            raise Refused(
                "wrong_modes",
                f"{str(mode)[:20]!r} is no mode: choose relay, pubsub or queue, such as"
                ' {"order_placed": "queue"}.',
            )
    merged = {**modes, **changes}
    return {**DEFAULT_MODES, **{type: mode for type, mode in merged.items() if mode}}
