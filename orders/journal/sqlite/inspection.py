"""Whether every record of a journal is as it was written, and what can be saved if one is not."""

import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from orders.errors import counted
from orders.journal.sqlite.rows import MOST, QUERIES, SHIFT, checksum, is_intact

#: The version of a journal from which on its records have checksums.
CHECKED_SINCE = 2

#: Is told what is being done.
Tell = Callable[[str], None]


def tell_nobody(_: str) -> None:
    """For callers that show no progress."""


class Damaged(NamedTuple):
    """A record that is not as it was written."""

    room: str
    position: int

    def __str__(self) -> str:
        return f"the record at position {self.position} of room {self.room} is damaged"


@dataclass(frozen=True, slots=True)
class Inspection:
    """What was found in a journal.

    `records` counts those that could be read, damaged ones among them; `structure` says what is
    wrong with the file itself, if anything is.
    """

    records: int
    damaged: list[Damaged]
    structure: str = ""

    @property
    def is_intact(self) -> bool:
        return not (self.damaged or self.structure)


def damaged(db: sqlite3.Connection, tell: Tell = tell_nobody) -> Iterator[Damaged | None]:
    """Each record in the order of the file: None where it is intact."""
    names = dict(db.execute("SELECT key, name FROM rooms"))
    before, db.text_factory = db.text_factory, _decoded
    try:
        for number, (*columns, expected) in enumerate(db.execute(QUERIES["all_records"])):
            if number % 1000 == 0:
                tell(f"{counted(number, 'record')} checked")
            place = columns[0]
            if is_intact(columns, expected):
                yield None
            else:
                yield Damaged(names.get(place >> SHIFT, f"number {place >> SHIFT}"), place & MOST)
    finally:
        db.text_factory = before


def _decoded(text: bytes) -> str:
    """What is no UTF-8 any more is damaged, and no reason to stop here."""
    return text.decode(errors="replace")


def inspect(path: Path, tell: Tell = tell_nobody) -> Inspection:
    """Look at every record of a journal; nothing is written, though a server may be at work."""
    records, found, structure = 0, list[Damaged](), ""
    try:
        db = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)
        try:
            tell("checking the journal's file")
            problem = db.execute("PRAGMA quick_check(1)").fetchone()[0]
            structure = "" if problem == "ok" else " ".join(problem.split())
            if db.execute("PRAGMA user_version").fetchone()[0] < CHECKED_SINCE:
                return Inspection(0, [], structure)
            for one in damaged(db, tell):
                records += 1
                if one is not None:
                    found.append(one)
        finally:
            db.close()
    except sqlite3.Error as error:
        structure = str(error)
    return Inspection(records, found, structure)


def save(path: Path, to: Path, tell: Tell = tell_nobody) -> Inspection:
    """Write every intact record of a journal into a new one; what was found in the old.

    In place of a damaged record stands one of a kind that readers pass over, so that all others
    keep their positions. What follows from records is folded again when the new one is opened.
    """
    found = inspect(path, tell)
    tell(f"copying {counted(found.records, 'record')}")
    db = sqlite3.connect(path, isolation_level=None)
    try:
        db.execute("VACUUM INTO ?", (str(to),))
    finally:
        db.close()
    saved = sqlite3.connect(to)
    try:
        places = [row[0] for row in saved.execute("SELECT place FROM records ORDER BY place")]
        for place, one in zip(places, damaged(saved, tell), strict=True):
            if one is not None:
                columns = (place, "damaged", 0, None, 0, "", "", "", b"{}")
                saved.execute(QUERIES["replace_record"], (*columns, checksum(*columns)))
        tell("almost done")
        saved.executescript(QUERIES["fold_again"])
    finally:
        saved.close()
    return found
