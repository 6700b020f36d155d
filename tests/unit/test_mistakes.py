"""What beginners send, and what they are told: one file each in tests/data/mistakes.

A file holds the message as it was sent, then the code and the sentence that answer it. After a
change of the sentences, `python -m tests.unit.test_mistakes` writes them again: read the diff.
"""

import json
import re
from pathlib import Path

import pytest

from orders.broker.messages import Error
from orders.broker.participants import Participant
from orders.broker.protocol import Protocol
from orders.broker.room import Room
from orders.broker.room_state import RoomState
from orders.errors import counted
from tests.transports import Transport

MISTAKES = Path(__file__).parents[1] / "data" / "mistakes"
FILES = sorted(MISTAKES.glob("*.txt"))
ID = "69688550-5be2-41e4-a057-b9da2d59eb03"


def read(file: Path) -> tuple[str, str]:
    """The message, and the answer as it stands in the file."""
    text, _, answer = file.read_bytes().decode().rpartition("--- ")
    return text.removesuffix("\n"), answer


def answered(text: str) -> str:
    """What the broker says to this message of alice."""
    room, alice = Room.at(RoomState("main")), Participant("main", "alice", Transport())
    said = Protocol(lambda: ID).receive(room, alice, text, 0, 0.0)
    assert isinstance(said, Error), f"it was taken: {said}"
    return f"{said.code}\n{said.message}\n"


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_a_mistake_is_answered_by_a_sentence_from_which_its_author_would_fix_it(file: Path) -> None:
    text, answer = read(file)
    assert answered(text) == answer


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_each_sentence_gives_an_example_and_is_short_enough_to_be_read(file: Path) -> None:
    sentence = read(file)[1].partition("\n")[2].strip()
    assert "such as" in sentence
    assert sentence.endswith(".")
    assert len(sentence) < 330
    assert not re.search(r"line \d+ column|EOF|ident\b|pydantic|expected value", sentence)


def test_there_are_forty_mistakes_and_more() -> None:
    assert len(FILES) >= 40


@pytest.mark.parametrize("type", ["subscribe", "ack", "unsubscribe", "nack"])
def test_a_type_called_like_a_command_is_ones_own_if_its_data_is(type: str) -> None:
    room, alice = Room.at(RoomState("main")), Participant("main", "alice", Transport())
    text = json.dumps({"type": type, "data": {"newsletter": True}})
    assert not isinstance(Protocol(lambda: ID).receive(room, alice, text, 0, 0.0), Error)


@pytest.mark.parametrize(
    ("number", "said"),
    [
        (1, "1 event"),
        (1.0, "1 event"),
        (0.5, "0.5 events"),
        (20.0, "20 events"),
        (1e5, "100,000 events"),
    ],
)
def test_one_of_a_kind_is_not_told_as_several(number: float, said: str) -> None:
    assert counted(number, "event") == said


if __name__ == "__main__":
    for file in FILES:
        text, _ = read(file)
        file.write_bytes(f"{text}\n--- {answered(text)}".encode())
