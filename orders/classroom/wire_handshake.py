"""The handshake of a connection: what was asked and answered, and how the accept is computed."""

import base64
import hashlib
from collections.abc import Iterable
from typing import Any

from orders.classroom.wire_frames import Inflater
from orders.classroom.wire_secrets import HIDDEN, hide, is_secret_name, secrets_in

GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # the same for every WebSocket (RFC 6455, 1.3)
MOST = 4096  # bytes that are shown of a request, and of an answer

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

    `cut` is how many headers are left out for want of room.
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


def inflater(extensions: str, *, from_client: bool) -> Inflater | None:
    """What undoes the compression that a 101 agreed on, for one direction; None without any."""
    for extension in extensions.split(","):
        name, *parameters = (part.strip() for part in extension.split(";"))
        if name == "permessage-deflate":
            side = "client" if from_client else "server"
            return Inflater(takeover=f"{side}_no_context_takeover" not in parameters)
    return None
