"""Letters in place of names: the one rule by which a file and a student's own page agree."""

from collections.abc import Iterable, Iterator

from orders.broker.records import EVENT, Kind, Record
from orders.domain.envelope import folded


def letter(number: int) -> str:
    """The letter with this number from 0: A to Z, then AA, AB, …"""
    letters = ""
    while number >= 0:
        number, rest = divmod(number, 26)
        letters = chr(ord("A") + rest) + letters
        number -= 1
    return letters


def letters(records: Iterable[Record]) -> dict[str, str]:
    """A letter for each name, folded, in the records of one epoch, oldest first.

    Those who joined come first, in the order in which they did, so that a letter stays what it
    is however the lesson goes on; and it needs no events. Then come senders who never joined.
    """
    joined: dict[str, None] = {}
    others: dict[str, None] = {}
    for record in records:
        if record.kind is EVENT:
            others[folded(record.source)] = None
        elif record.kind is Kind.JOINED:
            joined[folded(record.data["name"])] = None
    names: Iterator[str] = iter([*joined, *(name for name in others if name not in joined)])
    return {name: letter(number) for number, name in enumerate(names)}
