"""Bad messages, by seed: a short run of `tests.fuzz`. `make fuzz` goes on."""

import itertools
import json

import pytest

from orders.domain.envelope import Event
from orders.errors import Refused
from tests.bad_messages import ID, Messages
from tests.conftest import Start
from tests.fuzz import check, fuzz


async def test_each_of_many_bad_messages_gets_one_answer_and_a_neighbour_is_heard_throughout(
    start: Start,
) -> None:
    server = start("--rate", "0")
    report = await fuzz(server, 12_000, seed=1, tell=lambda _: None)
    assert report.sent > 11_000 and report.asked > 0 and report.heard > 0
    assert report.answers["broker.accepted"] and len(report.answers) > 12, report.answers
    assert report.closes.keys() == {1007, 1009}
    assert {200, 400} <= report.statuses.keys()
    assert report.log < 20, server.log


@pytest.mark.parametrize("seed", range(4))
def test_whatever_text_comes_is_an_event_or_refused_in_a_sentence(seed: int) -> None:
    taken, refused = 0, []
    for text in itertools.islice(Messages(seed), 5000):
        try:
            event = Event.parse(text)
            event.seal(lambda: ID, 1, "alice")
        except Refused as error:
            refused.append(error.message.encode())
        else:
            taken += 1
            said = json.loads(event.to_json())
            assert said["data"] == json.loads(text)["data"], "the data is not what was sent"
            if not event.type.startswith("broker."):
                check(said)
    assert taken > 100 and len(refused) > 100
    assert all(0 < len(sentence) < 400 for sentence in refused)
