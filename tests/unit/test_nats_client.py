"""The shorter way of what comes with every event says the same as the library's own."""

import pytest

pytest.importorskip("nats")

from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.protocol.parser import Parser

from orders.journal.nats.client import DirectClient

HEARTBEAT = b"NATS/1.0 100 Idle Heartbeat\r\nNats-Last-Stream: 7\r\n\r\n"
RECORD = b"NATS/1.0\r\nOrders-Record: event 1 relay tick Zo\xc3\xab - 0 n 7 99\r\nX:\tb: c \r\n\r\n"


def delivered(headers: bytes, body: bytes, sid: int = 1) -> bytes:
    sizes = b"%d %d" % (len(headers), len(headers) + len(body))
    return b"HMSG in.7 %d $JS.ACK.s.c.1.7.1.0.0 %s\r\n%s%s\r\n" % (sid, sizes, headers, body)


async def test_messages_are_heard_as_they_are_parsed_and_in_order() -> None:
    client, heard = DirectClient(), list[Msg]()
    client.direct[1] = heard.append
    said = delivered(RECORD, b"{}") + delivered(HEARTBEAT, b"") + b"MSG in.8 1 2\r\nok\r\n"
    said += delivered(RECORD, b"of another", sid=2)
    parser = Parser(client)
    for piece in (said[:30], said[30:100], said[100:]):
        await parser.parse(piece)
    assert [(one.subject, one.reply, one.data) for one in heard] == [
        ("in.7", "$JS.ACK.s.c.1.7.1.0.0", b"{}"),
        ("in.7", "$JS.ACK.s.c.1.7.1.0.0", b""),
        ("in.8", "", b"ok"),
    ]
    record, heartbeat, plain = (one.headers for one in heard)
    assert record == {"Orders-Record": "event 1 relay tick Zoë - 0 n 7 99", "X": "b: c"}
    assert heartbeat == {
        "Status": "100",
        "Description": "Idle Heartbeat",
        "Nats-Last-Stream": "7",
    }
    assert plain is None


@pytest.mark.parametrize(
    "headers",
    [RECORD, HEARTBEAT, b"NATS/1.0 503\r\n\r\n", b"NATS/1.0\r\nno colon\r\nA: \xff\r\n\r\n"],
)
async def test_headers_are_read_as_the_library_reads_them(headers: bytes) -> None:
    assert await DirectClient()._process_headers(headers) == await Client()._process_headers(
        headers
    )
