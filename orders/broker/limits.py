"""How much one may send: buckets of tokens, charged before anything is read."""

from dataclasses import dataclass, field

from orders.errors import Refused, counted

COMMAND_RATE = 10  # commands have a bucket of their own, this many times as large
#: Commands that a change of a subscription costs, and one more for each of its patterns: it is a
#: record, as an event is.
SUBSCRIBING = 20
MISTAKEN = 10  # commands that an ack of what is not held costs: it takes a sentence to answer
VALUE = 32  # bytes that each comma and bracket costs: reading values takes longer than texts
PING = 5  # commands that a ping costs, or a pong
#: Seconds for which what was refused leaves a connection unread, at least and at most.
REFUSED = 0.004, 1.0
NAP = 0.02  # seconds that gather before it is really left unread: what comes meanwhile costs less

Message = str | bytes


@dataclass(slots=True)
class Bucket:
    """Tokens that come back at a rate (a second), up to so many; `clock` is in seconds."""

    rate: float
    most: float
    tokens: float = 0.0
    filled: float = 0.0

    def __post_init__(self) -> None:
        self.tokens = self.most

    def level(self, clock: float) -> float:
        """How many tokens there are now."""
        passed, self.filled = clock - self.filled, clock
        self.tokens = min(self.tokens + passed * self.rate, self.most)
        return self.tokens

    def take(self, count: float, clock: float) -> bool:
        """Take tokens, if there are so many."""
        if self.level(clock) < count:
            return False
        self.tokens -= count
        return True


def weight(message: Message) -> int:
    """What a message costs of its sender's bytes, found without reading it."""
    if not isinstance(message, str):
        return len(message)
    size = len(message) if message.isascii() else len(message.encode())
    return size + VALUE * (message.count(",") + message.count("{") + message.count("["))


@dataclass(frozen=True, slots=True)
class Limits:
    """What one participant, one room and the server may use.

    `rate` and `burst` count events, a second and at once; `bytes` and `burst_bytes` the bytes of
    all that is sent. A rate of 0 lifts both.
    """

    rate: float = 50.0
    burst: int = 100
    bytes: int = 256 * 1024
    burst_bytes: int = 1024 * 1024
    abusive_grace: float = 5.0
    max_participants: int = 1000
    max_rooms: int = 100


@dataclass(slots=True)
class Allowance:
    """What one participant may still send. `over_since`: since when it sends more than that.

    `pause`: seconds for which it is to be left unread, once they are a `NAP`. So one that sends
    as fast as it can is refused a few times as fast as it may send, and no faster.
    """

    limits: Limits
    events: Bucket = field(init=False)
    commands: Bucket = field(init=False)
    bytes: Bucket = field(init=False)
    over_since: float | None = None
    pause: float = 0.0

    def __post_init__(self) -> None:
        rate, burst = self.limits.rate, self.limits.burst
        self.events = Bucket(rate, burst)
        self.commands = Bucket(rate * COMMAND_RATE, burst * COMMAND_RATE)
        self.bytes = Bucket(self.limits.bytes, self.limits.burst_bytes)

    def spend_bytes(self, message: Message, clock: float) -> None:
        """Charge the weight of a message, or refuse it unread."""
        if not self.limits.rate:
            return
        count = weight(message)
        if self.over_since is not None and self._paused(clock):
            self.over_since = None
        if not self.bytes.take(count, clock):
            raise self._over(clock, self.bytes, count, f"{self.limits.bytes // 1024} KiB")

    def spend_command(self, clock: float, count: int = 1) -> None:
        """Charge a command, or a ping."""
        if self.limits.rate and not self.commands.take(count, clock):
            allowed = counted(self.limits.rate * COMMAND_RATE, "command")
            raise self._over(clock, self.commands, count, allowed)

    def spend_event(self, clock: float) -> None:
        """Charge an event, or what was to be one."""
        if self.limits.rate and not self.events.take(1, clock):
            raise self._over(clock, self.events, 1, counted(self.limits.rate, "event"))

    def _paused(self, clock: float) -> bool:
        buckets = self.events, self.commands, self.bytes
        return all(bucket.level(clock) >= bucket.most / 2 for bucket in buckets)

    def _over(self, clock: float, bucket: Bucket, count: int, allowed: str) -> Refused:
        if self.over_since is None:
            self.over_since = clock
        least, most = REFUSED
        self.pause += max(least, min(count / (2 * bucket.rate), most))
        return Refused(
            "rate_limited",
            f"You send more than {allowed} a second: this one was not taken."
            " Wait a moment, and send it again.",
        )

    def is_abused(self, clock: float) -> bool:
        """Whether it has sent too much for too long, without a pause."""
        over = self.over_since
        return over is not None and clock - over >= self.limits.abusive_grace
