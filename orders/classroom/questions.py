"""Predict, discuss, predict again: a room's questions, as the fold of their records. Pure.

    state      becomes    by the record
    open       closed     closed: no answer counts any more
    closed     open       asked: the second round, which is the last
    closed     revealed   revealed: what the journal says
    revealed   revealed   revealed: what it says now

An answer counts while its round is open, and once for each voter: a hash, keyed with the
question's secret, of what a voter is known by. It is another in each round, and leads to no name.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from hashlib import blake2s
from typing import Any, Literal

from orders.broker.records import Kind, Record
from orders.web.export import table

State = Literal["open", "closed", "revealed"]
KINDS = (Kind.ASKED, Kind.ANSWERED, Kind.CLOSED, Kind.REVEALED)
ROUNDS = 2

#: Where a question stands, and the record that comes → where it stands then. All else changes
#: nothing.
TRANSITIONS: dict[tuple[State, str], State] = {
    ("open", Kind.CLOSED): "closed",
    ("closed", Kind.ASKED): "open",
    ("closed", Kind.REVEALED): "revealed",
    ("revealed", Kind.REVEALED): "revealed",
}


@dataclass(slots=True, eq=False)
class Question:
    """What the host asked. `choices`: their texts by their codes. `event`: the id of the one that
    it is about, None as long as none has come. `last`: the last position that had gone its way
    when it was asked; `held`: the room was paused for it.

    `votes` has of each round how many chose what, `voters` at which position a voter answered;
    `truth` a choice, None where there is none; `so_far`: it may still become another.
    """

    id: str
    kind: str
    text: str
    choices: dict[str, str]
    order: str | None
    event: str | None
    last: int
    held: bool
    secret: str
    state: State = "open"
    votes: list[dict[str, int]] = field(default_factory=list)
    voters: dict[str, int] = field(default_factory=dict)
    truth: str | None = None
    why: str = ""
    so_far: bool = False
    looked_at: int = -1  # how many events the room had when its own was looked for

    @classmethod
    def of(cls, data: dict[str, Any]) -> "Question":
        """The question that an `asked` record of the first round asks."""
        choices = {one["choice"]: one["text"] for one in data["choices"]}
        same = {key: data[key] for key in ("text", "order", "event", "last", "held", "secret")}
        question = cls(id=data["question"], kind=data["asks"], choices=choices, **same)
        question.votes.append(dict.fromkeys(choices, 0))
        return question

    @property
    def round(self) -> int:
        return len(self.votes)

    def may(self, kind: str) -> bool:
        """Whether a record of this kind changes where it stands."""
        is_one_too_many = kind == Kind.ASKED and self.round == ROUNDS
        return (self.state, kind) in TRANSITIONS and not is_one_too_many

    def apply(self, record: Record) -> None:
        """What a record changes of it."""
        data = record.data
        if record.kind is Kind.ANSWERED:
            self._count(record)
        elif self.may(record.kind):
            self.state = TRANSITIONS[self.state, record.kind]
            self.text = data.get("text", self.text)  # its event came meanwhile
            if record.kind is Kind.ASKED:
                self.votes.append(dict.fromkeys(self.choices, 0))
            elif record.kind is Kind.REVEALED:
                self.event, self.truth = data["event"], data["truth"]
                self.why, self.so_far = data["why"], data["so_far"]

    def _count(self, record: Record) -> None:
        choice, voters = record.data["choice"], record.data["voters"]
        is_open = self.state == "open" and record.data["round"] == self.round
        if is_open and choice in self.choices and self.answered(voters) is None:
            self.votes[-1][choice] += 1
            self.voters |= dict.fromkeys(voters, record.position)

    def answered(self, voters: Iterable[str]) -> int | None:
        """The position of the answer that one of these voters gave in this round, if any did."""
        return next((self.voters[one] for one in voters if one in self.voters), None)

    def voter(self, secret: str) -> str:
        """The holder of this secret, as a voter of this round."""
        key = bytes.fromhex(self.secret)
        return blake2s(f"{self.round}:{secret}".encode(), key=key, digest_size=12).hexdigest()

    def shape(self, *, is_host: bool) -> dict[str, Any]:
        """As the API has it: before it is closed nobody learns more than how many answered."""
        shape: dict[str, Any] = {"id": self.id, "kind": self.kind, "text": self.text}
        shape |= {name: value for name in ("event", "order") if (value := getattr(self, name))}
        shape |= {"round": self.round, "state": self.state, "choices": listed(self.choices)}
        shape["answers"] = sum(self.votes[-1].values())
        if self.state == "revealed" or (is_host and self.state == "closed"):
            shape["votes"] = self.votes
        if self.state == "revealed":
            shape |= {"truth": self.truth, "why": self.why, "so_far": self.so_far}
        return shape


@dataclass(slots=True, eq=False)
class Questions:
    """The questions of a room in one epoch, oldest first, from its records up to `position`."""

    by_id: dict[str, Question] = field(default_factory=dict)
    position: int = 0

    @property
    def current(self) -> Question | None:
        """The one that is not revealed yet; another is asked only after it."""
        return next((one for one in self.by_id.values() if one.state != "revealed"), None)

    def apply(self, record: Record) -> None:
        """Make a record true, unless it was before."""
        if record.position <= self.position:
            return
        self.position = record.position
        question = self.by_id.get(record.data["question"])
        if question is not None:
            question.apply(record)
        elif record.kind is Kind.ASKED and record.data["round"] == 1 and self.current is None:
            question = Question.of(record.data)
            self.by_id[question.id] = question


def listed(choices: dict[str, str]) -> list[dict[str, str]]:
    """Choices in the shape of the API."""
    return [{"choice": choice, "text": text} for choice, text in choices.items()]


def as_csv(questions: Iterable[Question]) -> str:
    """A table for the host: a row for each choice of each round, of those that are not open."""
    head = ["question", "kind", "asked", "event", "round", "choice", "text", "votes", "true"]
    rows: list[list[object]] = []
    for one in questions:
        for number, votes in enumerate(one.votes if one.state != "open" else [], 1):
            for choice, count in votes.items():
                is_true = "" if one.state != "revealed" else "yes" if choice == one.truth else "no"
                row = [one.id, one.kind, one.text, one.event or "", number, choice]
                rows.append([*row, one.choices[choice], count, is_true])
    return table(head, *rows)
