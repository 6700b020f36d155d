"""Every refusal and failure Orders knows, in one tree.

    OrdersError               a stable wire code, one plain sentence, an HTTP status
    ├── Refused               what was sent cannot be taken: correct it and send again
    │   ├── WrongParameter    a parameter of the URL is wrong (close code 4005)
    │   ├── Forbidden         this belongs to the host, or comes from a stranger
    │   ├── NotFound          no such room, event, participant
    │   └── Full              room or server is full (close code 4004)
    ├── StorageFailed         the journal could not take it: nothing was accepted
    └── CannotStart           the server cannot run like this: said in one line, exit 1

The `code` is for programs and never changes; the `message` is for people and says
what was wrong, what was expected, and gives an example.
"""

from enum import IntEnum


class Close(IntEnum):
    """The codes with which a WebSocket is closed, and what each asks of a client."""

    DONE = 1000
    GOING_AWAY = 1001
    NOT_UTF8 = 1007
    TOO_LARGE = 1009
    TAKEN_OVER = 4000
    TOO_SLOW = 4001
    TOO_MANY = 4002
    REMOVED = 4003
    FULL = 4004
    WRONG_PARAMETER = 4005


#: After these a client must not come back by itself.
FINAL_CLOSES = frozenset({Close.DONE, Close.TAKEN_OVER, Close.REMOVED, Close.WRONG_PARAMETER})


#: Every code on the wire, in `broker.error` and over HTTP. Those of `CannotStart` never get there.
CODES = (
    # a message
    *("malformed_json", "not_an_object", "binary_frame", "missing_type", "missing_data"),
    *("wrong_id", "wrong_type", "wrong_created", "wrong_source", "wrong_data", "wrong_number"),
    *("wrong_text", "too_deep", "too_many_values", "too_large", "id_conflict", "reserved_type"),
    *("unknown_command", "wrong_command", "wrong_types", "wrong_modes", "not_held"),
    # who, and how much
    *("name_reserved", "name_taken", "muted", "kicked", "room_locked", "room_ended"),
    *("rate_limited", "room_full", "server_full", "too_many_bots", "not_a_bot", "not_host"),
    *("foreign_origin", "foreign_host"),
    # an address
    *("wrong_parameter", "wrong_path", "wrong_upgrade", "upgrade_expected", "wrong_method"),
    *("wrong_request", "invalid_room", "invalid_name", "not_found", "unknown_position"),
    *("not_yours", "not_in_room", "unknown_question", "unknown_choice"),
    *("question_open", "question_closed", "question_revealed", "already_answered"),
    *("unknown_room", "unknown_event", "unknown_participant", "unknown_bot"),
    *("no_events", "busy"),
    # the server
    *("storage_full", "storage_failed", "journal_lost", "journal_damaged", "journal_changed"),
    *("engine_unavailable", "engine_without_jetstream"),
    *("system_failed", "internal_error"),
)


def counted(number: float, one: str) -> str:
    """`1 event`, `5 events`."""
    return f"{number:,} {one}{'' if number == 1 else 's'}".replace(".0 ", " ")


class OrdersError(Exception):
    """Anything Orders says no to. `code` is stable, `message` is one sentence for people."""

    status = 500

    def __init__(self, code: str, message: str, *, status: int | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        if status is not None:
            self.status = status


class Refused(OrdersError):
    """What was sent cannot be taken; nothing happened."""

    status = 400


class WrongParameter(Refused):
    """A parameter of the URL is wrong."""


class Forbidden(Refused):
    status = 403


class NotFound(Refused):
    status = 404


class Full(Refused):
    status = 503


class StorageFailed(OrdersError):
    """The journal could not take it. Codes: those of the server in `CODES`."""

    status = 507


class CannotStart(OrdersError):
    """The server cannot run like this; the command ends with this sentence and exit code 1."""
