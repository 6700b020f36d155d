"""What is secret never leaves the server on the wire's page, however it is written."""

import json
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orders.classroom.wire_frames import Dissector
from orders.classroom.wire_secrets import hide, secrets_in
from orders.classroom.wire_shown import message, shown
from tests.raw import PING, TEXT, close, frame

SECRET = "s3cr3t-of-alice.0123456789"
NAMES = ("session", "Token", "COOKIE", "Authorization", "access_token", "Orders-Session")


def hidden(text: str, *, address: bool = False) -> str:
    return hide(text, secrets_in(text, address=address))


def told(*sent: bytes) -> list[dict[str, Any]]:
    frames = Dissector(True).feed(b"".join(sent))
    return [shown(f, sender="client", number=n, at=0) for n, f in enumerate(frames, 1)]


@pytest.mark.parametrize(
    ("text", "shows"),
    [
        ('{"session":"a\\"b, c","id":5}', '{"session":"•••","id":5}'),
        ('{"s\\u0065ssion": "a\\"b"}', '{"s\\u0065ssion": "•••"}'),
        (
            '{"a":"{\\"token\\":\\"x\\\\\\"y\\",\\"z\\":1}"}',
            '{"a":"{\\"token\\":\\"•••\\",\\"z\\":1}"}',
        ),
        ('{"token": null, "n": 1}', '{"token": •••, "n": 1}'),
        ('{"token": [1, 2]}', '{"token": •••'),
        ('{"url":"ws://x/ws?session=abc","n":1}', '{"url":"ws://x/ws?session=•••","n":1}'),
        ("Authorization: Bearer a b\r\nHost: x", "Authorization: •••\r\nHost: x"),
        (
            '{"type":"token","tokens":3,"sessions":["a"]}',
            '{"type":"token","tokens":3,"sessions":["a"]}',
        ),
        (
            '{"note":"100% of my \\"session\\" is over"}',
            '{"note":"100% of my \\"session\\" is over"}',
        ),
    ],
)
def test_a_secret_is_hidden_and_nothing_else(text: str, shows: str) -> None:
    assert hidden(text) == shows


@pytest.mark.parametrize(
    ("address", "shows"),
    [
        ("/ws?name=a&session=x'y;z,\"&room=b", "/ws?name=a&session=•••&room=b"),
        ("/ws?s%65ssi%6Fn=a%26b&name=a", "/ws?s%65ssi%6Fn=•••&name=a"),
        ("/x?next=%2Fhost%3Ftoken%3Dab%2526c&y=2", "/x?next=%2Fhost%3Ftoken%3D•••&y=2"),
        ("/ws?name=session&types=token", "/ws?name=session&types=token"),
    ],
)
def test_so_is_one_in_an_address(address: str, shows: str) -> None:
    assert hidden(address, address=True) == shows


def spelled(name: str, choices: list[int]) -> str:
    """A name of which some characters are percent-encoded, some twice, some in capitals."""
    ways = (str, str.upper, lambda c: f"%{ord(c):02x}", lambda c: f"%25{ord(c):02X}")
    return "".join(ways[choices[i % len(choices)]](c) for i, c in enumerate(name))


@given(
    st.sampled_from(NAMES),
    st.lists(st.integers(0, 3), min_size=1, max_size=8),
    st.text("ab \"'\\%&=:{[;,<>", max_size=5),
    st.integers(0, 2),
)
def test_no_spelling_of_a_name_in_a_query_lets_its_value_out(
    name: str, choices: list[int], more: str, wraps: int
) -> None:
    parameter = f"{spelled(name, choices)}={quote(more + SECRET + more)}"
    for _ in range(wraps):
        parameter = f"next={quote('/x?' + parameter, safe='')}"
    assert SECRET not in hidden(f"GET /ws?a=1&{parameter}&b=2 HTTP/1.1", address=True)
    assert SECRET not in hidden(json.dumps({"url": f"ws://h/ws?{parameter}"}))


@given(
    st.sampled_from(NAMES),
    st.lists(st.booleans(), min_size=1, max_size=6),
    st.text("ab \"'\\%&=:{[;,<>é", max_size=5),
    st.integers(0, 2),
    st.lists(st.integers(1, 90), max_size=4),
)
def test_no_json_lets_one_out_in_text_or_bytes_however_it_is_in_parts(
    name: str, escaped: list[bool], more: str, wraps: int, cuts: list[int]
) -> None:
    spelled = "".join(
        f"\\u{ord(c):04x}" if escaped[i % len(escaped)] else c for i, c in enumerate(name)
    )
    text = f'{{"{spelled}": {json.dumps(more + SECRET + more)}}}'
    for _ in range(wraps):
        text = json.dumps({"note": text})
    data, begin, parts = text.encode(), 0, []
    for cut in sorted({*cuts, len(data)}):
        parts.append(data[begin:cut])
        begin = max(begin, min(cut, len(data)))
    sent = [frame(0 if n else TEXT, part, fin=n == len(parts) - 1) for n, part in enumerate(parts)]
    frames = told(*sent)
    assert "".join(one["plain"] for one in frames).replace("•", "") != ""
    assert SECRET not in "".join(one["text"] for one in frames)
    assert SECRET.encode().hex() not in "".join(one["plain"] for one in frames)
    for one in frames:  # nor by the bytes on the wire and their key
        hides = [at for at in range(0, len(one["plain"]), 2) if one["plain"][at] == "•"]
        assert hides == [at for at in range(0, len(one["raw"]), 2) if one["raw"][at] == "•"]


def test_pings_and_the_reason_of_a_close_hide_theirs() -> None:
    ping, closing = told(frame(PING, b"token=abc"), close(4000, b"token=abc; bye"))
    assert ping["text"] == "token=•••" and ping["plain"] == b"token=".hex() + "••" * 3
    assert closing["close"]["reason"].startswith("token=•••")
    assert "abc" not in bytes.fromhex(closing["plain"].replace("•", "0")).decode("latin-1")


def test_headers_hide_theirs_whatever_their_case() -> None:
    headers = [
        ("cOOkie", f"a={SECRET}"),
        ("AUTHORIZATION", f"Bearer {SECRET}"),
        ("Orders-Session", SECRET),
        ("Referer", f"http://x/host?TOKEN={SECRET}"),
        ("Origin", "http://x"),
    ]
    answer = message(f"GET /ws?name=a&sess%69on={SECRET} HTTP/1.1", headers)
    assert SECRET not in json.dumps(answer)
    assert answer["headers"][-1] == ["Origin", "http://x"]
    assert answer["line"] == "GET /ws?name=a&sess%69on=••• HTTP/1.1"
