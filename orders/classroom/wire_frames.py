"""What a stream of WebSocket frames says (RFC 6455, 5.2), byte by byte and bit by bit.

Pure: bytes in, frames out. It never refuses anything, for a picture of what is wrong teaches the
most: what breaks a rule is a frame all the same, with the rule in its `wrong`.
"""

import codecs
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10
KINDS = {
    CONTINUATION: "continuation",
    TEXT: "text",
    BINARY: "binary",
    CLOSE: "close",
    PING: "ping",
    PONG: "pong",
}
KEPT = 2048  # bytes of a message that are kept; of a longer one its beginning
INFLATED = 1 << 20  # bytes to which a compressed message may grow before we look no further
#: What permessage-deflate leaves out at the end of each message (RFC 7692).
TAIL = b"\x00\x00\xff\xff"

#: What a close code means (RFC 6455, 7.4, and the contract).
CLOSE_WORDS = {
    1000: "done: both sides said what they wanted to say",
    1001: "going away: the server ends, or the page is left",
    1002: "a rule of the protocol was broken",
    1003: "this kind of data is not taken here",
    1005: "no code was given",
    1006: "lost without a word: never sent, only reported",
    1007: "the text was not UTF-8",
    1008: "against the rules of the house",
    1009: "the message was too large",
    1010: "an extension is missing",
    1011: "the server failed",
    1012: "the server starts again",
    1013: "too busy: come back later",
    1015: "TLS failed: never sent, only reported",
    4000: "another connection took over the session",
    4001: "too slow: what was not read passed the limit",
    4002: "too many messages for too long",
    4003: "removed by the host",
    4004: "the room or the server is full",
    4005: "a parameter of the address is wrong",
}
NEVER_SENT = {1004, 1005, 1006, 1015}


@dataclass(slots=True)
class Frame:
    """One frame. `head` is its header as it came; of the payload, `raw` is what came and `plain`
    what it means (unmasked, inflated): both no more than what is kept of its message.

    `form` is the bits that tell the length: 7, 16 or 64. `said` is what is kept of its message up
    to here, `of` the opcode of that message, None where it began before we looked. `came` is how
    many bytes of the payload did come: fewer than `length` where the connection ended within it.
    """

    head: bytes
    fin: bool
    rsv: int
    opcode: int
    key: bytes | None
    length: int
    form: int
    of: int | None
    compressed: bool
    came: int = 0
    raw: bytes = b""
    plain: bytes = b""
    said: bytes = b""
    wrong: tuple[str, ...] = ()

    @property
    def kind(self) -> str:
        return KINDS.get(self.opcode, "reserved")

    @property
    def truncated(self) -> bool:
        return self.came < self.length

    @property
    def close(self) -> tuple[int, str, str] | None:
        """Of a close frame the code, what it means, and the reason given; 1005 without a code."""
        if self.opcode != CLOSE or len(self.plain) == 1:
            return None
        code = int.from_bytes(self.plain[:2], "big") if self.plain else 1005
        words = CLOSE_WORDS.get(code) or ("the application's own" if code >= 3000 else "unknown")
        return code, words, self.plain[2:].decode(errors="replace")


def unmask(data: bytes, key: bytes, at: int = 0) -> bytes:
    """XOR with the key, whose byte `at` (of four) is the first that is used. Its own reverse."""
    turned = (key[at % 4 :] + key[: at % 4]) * (len(data) // 4 + 1)
    mask = int.from_bytes(turned[: len(data)], "big")
    return (int.from_bytes(data, "big") ^ mask).to_bytes(len(data), "big")


def text_of(plain: bytes) -> str:
    """Bytes as text: without a character that is cut at the end; what is no UTF-8 becomes �."""
    return codecs.getincrementaldecoder("utf-8")("replace").decode(plain)


class Inflater:
    """permessage-deflate in one direction: `takeover` keeps what earlier messages said."""

    def __init__(self, takeover: bool = True) -> None:
        self._takeover = takeover
        self._zlib = zlib.decompressobj(wbits=-15)
        self._grown = 0
        self._is_lost = False

    def inflate(self, data: bytes, room: int) -> bytes:
        """The first `room` bytes of what these become; all of it is worked through."""
        kept = b""
        while data and not self._is_lost:
            try:
                out = self._zlib.decompress(data, 1 << 14)
            except zlib.error:
                out, self._is_lost = b"", True
            data = self._zlib.unconsumed_tail
            kept += out[: room - len(kept)]
            self._grown += len(out)
            self._is_lost |= self._grown > INFLATED  # it was made to grow: look no further
        return kept

    def end(self) -> None:
        """A message is complete."""
        self.inflate(TAIL, 0)
        self._grown = 0
        if not self._takeover:
            self._zlib = zlib.decompressobj(wbits=-15)


def inflater(extensions: str, *, from_client: bool) -> Inflater | None:
    """What undoes the compression that a 101 agreed on, for one direction; None without any."""
    for extension in extensions.split(","):
        name, *parameters = (part.strip() for part in extension.split(";"))
        if name == "permessage-deflate":
            side = "client" if from_client else "server"
            return Inflater(takeover=f"{side}_no_context_takeover" not in parameters)
    return None


@dataclass(slots=True)
class Dissector:
    """One direction of a connection, from the start of a frame on. Memory is bounded, whatever
    comes: of a payload only what is kept, of a length that lies nothing."""

    from_client: bool
    inflater: Inflater | None = None
    _head: bytes = b""  # of a header that is not complete
    _begun: Frame | None = None  # whose payload is still coming
    _raw: bytearray = field(default_factory=bytearray)
    _plain: bytearray = field(default_factory=bytearray)
    _came: int = 0
    _said: bytes = b""  # what is kept of the message that is not complete
    _of: int | None = None
    _compressed: bool = False
    _knows: bool = False  # whether a message began since we looked

    def feed(self, data: bytes) -> Iterator[Frame]:
        """The frames that are complete with these bytes."""
        view = memoryview(data)
        while view:
            if self._begun is None:
                taken = _size(self._head) - len(self._head)
                self._head += view[:taken]
                view = view[taken:]
                if len(self._head) == _size(self._head):
                    self._begun = self._begin()
            else:
                piece = view[: self._begun.length - self._came]
                view = view[len(piece) :]
                self._take(self._begun, piece)
            if self._begun is not None and self._came == self._begun.length:
                yield self._finish(self._begun)

    def end(self) -> Frame | None:
        """The connection is over: the frame that was not complete, if its header was."""
        return self._finish(self._begun) if self._begun is not None else None

    def _begin(self) -> Frame:
        head, self._head = self._head, b""
        opcode, short = head[0] & 0x0F, head[1] & 0x7F
        form = {126: 16, 127: 64}.get(short, 7)
        rsv, is_control = head[0] >> 4 & 7, opcode >= CLOSE
        if opcode in (TEXT, BINARY):
            self._said, self._of, self._knows = b"", opcode, True
            self._compressed = bool(rsv & 4) and self.inflater is not None
        return Frame(
            head=head,
            fin=bool(head[0] & 0x80),
            rsv=rsv,
            opcode=opcode,
            key=head[-4:] if head[1] & 0x80 else None,
            length=short if form == 7 else int.from_bytes(head[2 : 2 + form // 8], "big"),
            form=form,
            of=None if is_control else self._of,
            compressed=self._compressed and not is_control,
        )

    def _take(self, frame: Frame, piece: memoryview) -> None:
        before = 0 if frame.opcode >= CLOSE else len(self._said)
        left = max(KEPT - before - len(self._raw), 0)
        plain = bytes(piece if frame.compressed else piece[:left])
        if frame.key:
            plain = unmask(plain, frame.key, self._came)
        if frame.compressed and self.inflater is not None:
            plain = self.inflater.inflate(plain, KEPT - before - len(self._plain))
        self._raw += piece[:left]
        self._plain += plain
        self._came += len(piece)

    def _finish(self, frame: Frame) -> Frame:
        frame.came, frame.raw = self._came, bytes(self._raw)
        frame.plain = frame.said = bytes(self._plain)
        self._begun, self._raw, self._plain, self._came = None, bytearray(), bytearray(), 0
        frame.wrong = (*self._wrong(frame), *_wrong_close(frame))
        if frame.opcode < CLOSE:
            self._said = frame.said = self._said + frame.plain
            if frame.fin and not frame.truncated:
                if frame.compressed and self.inflater is not None:
                    self.inflater.end()
                self._said, self._of, self._compressed = b"", None, False
        return frame

    def _wrong(self, frame: Frame) -> Iterator[str]:
        opcode, masked = frame.opcode, frame.key is not None
        if opcode not in KINDS:
            yield f"opcode {opcode} is not in use"
        if frame.rsv & (3 if self.inflater and opcode in (TEXT, BINARY) else 7):
            yield "a reserved bit is set, and no extension that uses it was agreed on"
        if opcode >= CLOSE and not frame.fin:
            yield "a control frame is never in parts"
        if opcode >= CLOSE and frame.length > 125:
            yield "a control frame has at most 125 bytes"
        if masked != self.from_client:
            yield "a server does not mask" if masked else "what a client sends is masked"
        if frame.length < {7: 0, 16: 126, 64: 1 << 16}[frame.form]:
            yield "the length is written in more bits than it needs"
        if frame.length >= 1 << 63:
            yield "the first bit of a length is 0"
        if opcode == CONTINUATION and frame.of is None and self._knows:
            yield "it continues nothing"


def _size(head: bytes) -> int:
    """How many bytes a header has that begins with these; 2 as long as nobody can tell."""
    if len(head) < 2:
        return 2
    return 2 + {126: 2, 127: 8}.get(head[1] & 0x7F, 0) + (4 if head[1] & 0x80 else 0)


def _wrong_close(frame: Frame) -> Iterator[str]:
    plain = frame.plain
    if frame.opcode != CLOSE or frame.truncated or not plain:
        return
    if len(plain) == 1:
        yield "half a close code"
        return
    code = int.from_bytes(plain[:2], "big")
    if code in NEVER_SENT or not (1000 <= code <= 1015 or 3000 <= code <= 4999):
        yield f"{code} is not to be sent"
    try:
        plain[2:].decode()
    except UnicodeDecodeError:
        yield "the reason is not UTF-8"
