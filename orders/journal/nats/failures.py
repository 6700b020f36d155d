"""What JetStream refuses, and what that is in words."""

from orders.errors import StorageFailed

#: What JetStream answers when something is there already, and when it has no room.
TAKEN, FULL = (10071, 10164), (10002, 10023, 10028, 10047, 10077)
AT_LIMIT = (10026, 10027)  # the account has all the consumers, or streams, that it may have
TOO_LARGE = 10054  # for the stream; `max_payload` of the servers is known beforehand
SEALED = 10109  # the room has a new epoch
NOT_FOUND = 10059  # no stream has this name
NO_MESSAGE = 10037  # the stream has no such message
IN_USE = 10058  # a stream of this name is there, with other settings
NOT_ENABLED = (10039, 10076)  # JetStream, for this account or at all
NO_PEERS = 10005  # too few servers of the cluster are there yet
OVERLAPS = 10065  # a stream of another name has its subject


class Rejected(Exception):
    """What JetStream answered to something it would not do; `code` is its own.

    `sent_twice`: it may be in its own way, for it was published once more when no answer came.
    """

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.sent_twice = False


def unavailable() -> StorageFailed:
    """JetStream does not answer: nothing may be called accepted."""
    return StorageFailed(
        "engine_unavailable",
        "The servers that keep the journal do not answer: this event was not accepted. Send it"
        " again in a moment, with the same `id`.",
        status=503,
    )


def without_jetstream() -> StorageFailed:
    """A server of NATS is there, and keeps nothing."""
    return StorageFailed(
        "engine_without_jetstream",
        "The NATS servers run without JetStream, or this account may not use it: this event was not"
        " accepted. Start them with JetStream, such as `nats-server -js`, then send it again.",
        status=503,
    )


def forbidden(said: str) -> StorageFailed:
    """NATS does not let this login do something, or does not let it in any more."""
    if "permissions" not in said.lower():
        return StorageFailed(
            "storage_failed",
            f"The servers that keep the journal refuse this login ({said.removeprefix('nats: ')}):"
            " this event was not accepted. Check the name and password in --engine, or the file of"
            " --engine-creds.",
        )
    return StorageFailed(
        "storage_failed",
        f"The servers that keep the journal do not allow it ({said.removeprefix('nats: ')}): this"
        " event was not accepted. The login of Orders must be allowed to publish and to subscribe"
        " to orders.>, $JS.>, $KV.> and _INBOX.>.",
    )


def failure(rejected: Rejected) -> StorageFailed:
    """Why an event was not accepted, in words that say what to do."""
    if rejected.code in FULL:
        return StorageFailed(
            "storage_full",
            "The servers that keep the journal have no room left: this event was not accepted."
            " Make room, then send it again.",
        )
    if rejected.code == TOO_LARGE:
        return StorageFailed(
            "too_large",
            "The stream of this room takes no event of this size: send less at once, or raise its"
            " `max_msg_size`.",
            status=413,
        )
    if rejected.code in AT_LIMIT:
        return StorageFailed(
            "storage_full",
            f"The account at NATS has no more to give ({rejected}): this event was not accepted."
            " Use a room that exists, or raise the limits of the account.",
        )
    return StorageFailed(
        "storage_failed",
        f"The journal could not be written ({rejected}): this event was not accepted. Send it"
        " again later.",
    )


def stream_lost(stream: str, what: str) -> StorageFailed:
    """The stream of a room is not what it was, such as "was purged"."""
    return StorageFailed(
        "journal_lost",
        f"The stream {stream} of this room {what}: nothing can be accepted. Restore it from a"
        " copy, or start the servers again to go on with what is left.",
    )


def unreadable(stream: str, rejected: Rejected) -> StorageFailed:
    """Why the journal of a room cannot be read."""
    if rejected.code == NOT_FOUND:
        return stream_lost(stream, "is gone")
    return StorageFailed(
        "storage_failed", f"The journal could not be read ({rejected}): ask again later."
    )


def stream_elsewhere(stream: str, subject: str) -> StorageFailed:
    """A stream does not take any more what is written into it."""
    return StorageFailed(
        "journal_changed",
        f"The subjects of the stream {stream} of this room were changed: nothing can be accepted"
        f" until it has its own again, such as with `nats stream edit {stream} --subjects"
        f" '{subject}'`.",
    )


def stream_sealed(stream: str) -> StorageFailed:
    """Nothing can be added to a stream, and yet its epoch did not end."""
    return StorageFailed(
        "storage_failed",
        f"The stream {stream} of this room is sealed, though nobody reset the room: nothing can be"
        " accepted. Restore it from a copy, or use another room.",
    )


def too_large(most: int) -> StorageFailed:
    """NATS takes no message of this size."""
    return StorageFailed(
        "too_large",
        f"The servers that keep the journal take events of at most {most} bytes: send less at"
        " once, or raise `max_payload` of the NATS servers.",
        status=413,
    )
