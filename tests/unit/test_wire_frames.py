"""What is read off the wire is what was put on it, by a library and by hand."""

import struct
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.extensions.permessage_deflate import PerMessageDeflate
from websockets.frames import Frame as Written
from websockets.frames import Opcode

from orders.classroom.wire_frames import INFLATED, KEPT, Dissector, Frame, inflater, text_of, unmask
from orders.classroom.wire_shown import GUID, accept, message
from tests.raw import BINARY, CLOSE, PING, PONG, TEXT, close, frame

CONTINUATION = 0


def read(data: bytes, pieces: int = 0, **options: Any) -> list[Frame]:
    """The frames in what a client says, which comes in pieces of so many bytes."""
    dissector, size = Dissector(True, **options), pieces or len(data) or 1
    cut = [data[at : at + size] for at in range(0, len(data), size)]
    return [one for piece in cut for one in dissector.feed(piece)]


PAYLOADS = st.one_of(
    st.binary(max_size=130),
    st.text(max_size=60).map(str.encode),
    st.sampled_from([125, 126, KEPT, KEPT + 1, 65535, 65536]).map(lambda size: b"x" * size),
)
FRAMES = st.one_of(
    st.builds(
        Written,
        st.sampled_from([Opcode.TEXT, Opcode.BINARY, Opcode.CONT]),
        PAYLOADS,
        st.booleans(),
    ),
    st.builds(Written, st.sampled_from([Opcode.PING, Opcode.PONG]), st.binary(max_size=125)),
    st.builds(
        lambda code, reason: Written(Opcode.CLOSE, struct.pack("!H", code) + reason),
        st.integers(1000, 4999),
        st.binary(max_size=123),
    ),
)


@given(st.lists(FRAMES, max_size=8), st.booleans(), st.integers(1, 9))
def test_what_a_library_writes_is_read_however_it_is_cut_into_pieces(
    written: list[Written], is_client: bool, pieces: int
) -> None:
    data = b"".join(one.serialize(mask=is_client) for one in written)
    size = pieces if len(data) < 5000 else pieces * 1000
    dissector = Dissector(is_client)
    got = [f for at in range(0, len(data), size) for f in dissector.feed(data[at : at + size])]
    assert dissector.end() is None
    assert [(f.fin, f.rsv, f.opcode) for f in got] == [(w.fin, 0, w.opcode) for w in written]
    for one, wrote in zip(got, written, strict=True):
        length = len(wrote.data)
        assert (one.length, one.came, one.key is not None) == (length, length, is_client)
        assert one.form == (7 if length < 126 else 16 if length < 65536 else 64)
        assert one.plain == wrote.data[: len(one.plain)]
        assert one.plain == (unmask(one.raw, one.key) if one.key else one.raw)
        assert len(one.said) <= KEPT
        if wrote.opcode in (Opcode.TEXT, Opcode.BINARY):
            assert len(one.plain) == min(length, KEPT)
        if wrote.opcode is Opcode.CLOSE:
            assert one.close is not None
            assert one.close[0] == int.from_bytes(wrote.data[:2], "big")
    if all(one.came == len(one.raw) for one in got):
        assert b"".join(one.head + one.raw for one in got) == data


@given(st.lists(st.binary(max_size=300), max_size=6), st.booleans())
def test_what_a_library_compresses_is_inflated_message_by_message(
    texts: list[bytes], takeover: bool
) -> None:
    library = PerMessageDeflate(not takeover, not takeover, 15, 15)
    data = b"".join(
        Written(Opcode.TEXT, text).serialize(mask=True, extensions=[library]) for text in texts
    )
    agreed = "permessage-deflate" + ("" if takeover else "; client_no_context_takeover")
    got = read(data, inflater=inflater(agreed, from_client=True))
    assert [one.plain for one in got] == texts
    assert all(one.compressed and not one.wrong for one in got)


def test_a_message_that_inflates_without_end_is_looked_at_no_further() -> None:
    library = PerMessageDeflate(False, False, 15, 15)
    bomb = Written(Opcode.TEXT, b"x" * (4 * INFLATED)).serialize(mask=True, extensions=[library])
    after = Written(Opcode.TEXT, b"after").serialize(mask=True, extensions=[library])
    one, other = read(bomb + after, inflater=inflater("permessage-deflate", from_client=True))
    assert (one.plain, other.plain, other.opcode) == (b"x" * KEPT, b"", TEXT)


@given(st.binary(max_size=400), st.integers(1, 50), st.booleans())
def test_nonsense_is_read_without_a_word(data: bytes, pieces: int, compressed: bool) -> None:
    agreed = inflater("permessage-deflate" if compressed else "", from_client=True)
    frames = read(data, pieces, inflater=agreed)
    assert sum(len(one.head) + one.length for one in frames) <= len(data)


def test_parts_of_a_message_know_what_they_continue_and_a_ping_may_come_between() -> None:
    whole = "coffee für zwei".encode()
    data = (
        frame(TEXT, whole[:9], fin=False)  # cut in the middle of the ü
        + frame(PING, b"?")
        + frame(CONTINUATION, whole[9:], fin=True)
        + frame(CONTINUATION, b"lost")
    )
    first, ping, last, lost = read(data)
    assert (first.of, ping.of, last.of, lost.of) == (TEXT, None, TEXT, None)
    assert first.said + b"" == whole[:9] and last.said == whole
    assert text_of(first.plain) == "coffee f"
    assert lost.wrong == ("it continues nothing",)
    assert not first.wrong + ping.wrong + last.wrong


def test_where_we_began_to_look_within_a_message_its_rest_is_no_mistake() -> None:
    (rest,) = read(frame(CONTINUATION, b"zwei"))
    assert (rest.of, rest.wrong) == (None, ())


def test_of_a_message_in_many_parts_no_more_is_kept_than_of_one() -> None:
    parts = [frame(TEXT if not n else CONTINUATION, b"x" * 500, fin=n == 9) for n in range(10)]
    got = read(b"".join(parts))
    assert sum(len(one.raw) for one in got) == KEPT == len(got[-1].said)
    assert [one.came for one in got] == [500] * 10


def test_a_frame_that_the_end_cut_off_is_shown_as_far_as_it_came() -> None:
    dissector = Dissector(True)
    assert list(dissector.feed(frame(TEXT, b"half of it")[:-4])) == []
    cut = dissector.end()
    assert cut is not None and cut.truncated and (cut.length, cut.came) == (10, 6)
    assert cut.plain == b"half o"


@pytest.mark.parametrize(
    ("data", "wrong"),
    [
        (frame(3), "opcode 3 is not in use"),
        (frame(TEXT, reserved=4), "a reserved bit is set, and no extension"),
        (frame(PING, fin=False), "a control frame is never in parts"),
        (frame(PONG, b"x" * 126), "a control frame has at most 125 bytes"),
        (frame(TEXT, b"x", masked=False), "what a client sends is masked"),
        (frame(TEXT, b"x", size_bytes=8), "the length is written in more bits than it needs"),
        (frame(CLOSE, b"x"), "half a close code"),
        (close(1006), "1006 is not to be sent"),
        (close(2999), "2999 is not to be sent"),
        (close(1000, b"\xff"), "the reason is not UTF-8"),
    ],
)
def test_what_breaks_a_rule_is_named(data: bytes, wrong: str) -> None:
    (one,) = read(data)
    assert [words for words in one.wrong if words.startswith(wrong)]
    assert read(frame(BINARY, b"\x00"))[0].wrong == ()


def test_a_server_that_masks_breaks_a_rule_and_a_length_that_lies_costs_nothing() -> None:
    (one,) = Dissector(False).feed(frame(TEXT, b"x"))
    assert one.wrong == ("a server does not mask",)
    dissector = Dissector(True)
    assert list(dissector.feed(frame(TEXT, b"x", size=2**63 + 1, size_bytes=8))) == []
    lies = dissector.end()
    assert lies is not None and lies.length == 2**63 + 1 and lies.came == 1
    assert lies.wrong == ("the first bit of a length is 0",)


@pytest.mark.parametrize(
    ("data", "code", "words", "reason"),
    [
        (close(1000, b"bye"), 1000, "done: both sides said what they wanted to say", "bye"),
        (close(4321), 4321, "the application's own", ""),
        (frame(CLOSE), 1005, "no code was given", ""),
    ],
)
def test_a_close_is_told_in_words(data: bytes, code: int, words: str, reason: str) -> None:
    assert read(data)[0].close == (code, words, reason)


def test_the_accept_is_computed_as_the_standard_does_it() -> None:
    steps = accept("dGhlIHNhbXBsZSBub25jZQ==")  # the example of RFC 6455, 1.3
    assert steps["joined"] == "dGhlIHNhbXBsZSBub25jZQ==" + GUID
    assert steps["sha1"] == "b37a4f2cc0624f1690f64606cf385945b2bec4ea"
    assert steps["accept"] == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="


def test_a_handshake_that_is_too_long_is_cut_with_a_note() -> None:
    shown = message("GET / HTTP/1.1", [("A", "x" * 4000), ("B", "y" * 4000), ("C", "z")])
    assert [name for name, _ in shown["headers"]] == ["A", "C"] and shown["cut"] == 1
