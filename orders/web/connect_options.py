"""What the query of an upgrade to `/ws` asks for."""

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, PlainValidator, WithJsonSchema

from orders.broker.modes import check_patterns
from orders.broker.participants import Participant, Transport
from orders.domain.envelope import ROOM, Name, nfc
from orders.errors import Refused, WrongParameter
from orders.web.query import PLACE, Query

QueryName = Annotated[Name, BeforeValidator(nfc)]


def _types(text: str) -> frozenset[str]:
    """`order_*, tick` → two patterns; none at all for an empty text."""
    patterns = (pattern.strip() for pattern in text.split(","))
    try:
        return check_patterns([pattern for pattern in patterns if pattern])
    except Refused as refused:
        raise WrongParameter(refused.code, refused.message) from None


NAME = Field(None, description="1–32 letters, digits, `-`, `_` or `.`, such as alice")
HEARTBEAT = Field(
    None, ge=5, le=60, description="5–60 seconds: broker.heartbeat after so much silence"
)


class ConnectOptions(Query):
    """A participant that comes, and what it wants to hear; everything may be left out."""

    room: str = Field("main", pattern=ROOM, description="1–32 of a–z, 0–9 and `-`, such as main")
    name: QueryName | None = NAME
    types: Annotated[
        frozenset[str] | None, PlainValidator(_types), WithJsonSchema({"type": "string"})
    ] = Field(None, description="types with commas between them, or beginnings such as order_*")
    after: str | None = Field(
        None, pattern=PLACE, description="the id of the last event you saw, or start"
    )
    ack: Literal["auto", "manual"] = Field("auto", description="auto or manual")
    prefetch: int = Field(1, ge=1, le=100, description="a number from 1 to 100")
    echo: bool = Field(True, description="true, or false: your own events do not come back")
    quiet: bool = Field(False, description="false, or true: no broker.welcome and broker.accepted")
    heartbeat: float | None = HEARTBEAT
    session: str | None = Field(
        None,
        min_length=16,
        max_length=64,
        description="a secret of your own, of 16 to 64 characters",
    )

    def participant(self, transport: Transport) -> Participant:
        """The participant that comes with these options."""
        types = frozenset("*") if self.types is None else self.types
        return Participant(
            self.room,
            self.name or "",
            transport,
            types=types,
            subscription=types,
            chose_types=self.types is not None,
            ack=self.ack,
            prefetch=self.prefetch,
            echo=self.echo,
            quiet=self.quiet,
            session=self.session,
        )
