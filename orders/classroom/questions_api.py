"""Questions over HTTP: the host asks, a class answers, the journal tells what was right.

What was asked and answered are records, so it is the same on every node and after a restart. From
its first round to the truth a question holds the events of its room at the broker.
"""

from typing import Any, Literal, Self

from aiohttp import web
from pydantic import Field, model_validator

from orders.broker.records import Kind
from orders.classroom.questions import Question, Questions, as_csv, listed
from orders.classroom.questions_kept import PLACED, KeptQuestions, mode_of, workers
from orders.classroom.questions_truth import Truth, offered, words
from orders.clock import new_id, token
from orders.domain.envelope import id_text, is_name
from orders.errors import Forbidden, NotFound, Refused
from orders.web.api import answer, room_named
from orders.web.host import hosted
from orders.web.keys import HOLDS, NODE
from orders.web.marks import DEVICE, session_mark, session_of
from orders.web.query import Body, Query, however_ended
from orders.web.security import check_host, is_host
from orders.web.turns import in_line


class Asked(Body):
    """What the host asks; `order` is of an outcome, and missing: the next that is placed."""

    expected = "`kind` is receivers or outcome, and `order` of an outcome its customer and number"
    example = '{"kind": "outcome", "order": "carol/5"}'
    kind: Literal["receivers", "outcome"]
    order: str | None = Field(None, pattern=r"^[^/]{1,32}/.{1,64}$")

    @model_validator(mode="after")
    def _of_an_outcome(self) -> Self:
        if self.order and (self.kind != "outcome" or not is_name(self.order.partition("/")[0])):
            raise ValueError
        return self


class Answered(Body):
    """What one answers; `round`: that in which it was meant."""

    expected, example = "`choice` is one of the choices", '{"choice": "everyone"}'
    choice: str
    round: int | None = None


QUESTIONS = web.AppKey("questions", KeptQuestions)


def install(app: web.Application) -> None:
    """Let the host of this application ask."""
    app[QUESTIONS] = KeptQuestions(app[NODE])
    app[HOLDS].append(app[QUESTIONS].check)
    path = "/api/rooms/{room}/questions"
    app.router.add_routes(
        however_ended(
            web.post(path, ask),
            web.get(path, get_questions),
            web.post(f"{path}/{{id}}/answers", post_answer),
            web.post(f"{path}/{{id}}/{{act:close|again|reveal}}", act),
        )
    )


async def ask(request: web.Request) -> web.Response:
    """Ask, and hold events at the broker until the truth is shown."""
    node, room = await hosted(request)
    asked = await Asked.read(request)
    questions = request.app[QUESTIONS]
    async with questions.asking:
        if current := (await questions.of(room)).current:
            raise _refused(current)
        id, held = new_id(), not room.state.paused
        if held:
            await node.host.pause(room)
        last, event = room.state.cursor, await questions.placed(room, asked.order)
        event = event or await questions.find(room, asked.kind, asked.order, last)
        mode = event.mode if event else mode_of(room, PLACED)
        able = workers(room, event.type, event.source) if event else workers(room, PLACED)
        data: dict[str, Any] = {
            "question": id,
            "asks": asked.kind,
            "text": words(asked.kind, event, asked.order),
            "choices": listed(offered(asked.kind, mode, able)),
            "round": 1,
            "event": id_text(event.key) if event else None,
            "order": asked.order,
            "last": last,
            "held": held,
            "secret": token().encode().hex(),
        }
        await node.host.note(room.name, Kind.ASKED, **data)
    known = await questions.of(room)
    if id not in known.by_id and known.current:
        raise _refused(known.current)  # on another node somebody asked at the same time
    return answer(_shape(request, _found(known, id)), 201)


class QuestionsQuery(Query):
    """How they are shown."""

    format: Literal["json", "csv"] = Field("json", description="json or csv")


@in_line
async def get_questions(request: web.Request) -> web.Response:
    """All questions of the room, oldest first."""
    query = QuestionsQuery.read(request.query)
    if query.format == "csv":
        check_host(request)
    _, room = await room_named(request)
    found = list((await request.app[QUESTIONS].of(room)).by_id.values())
    for one in found:
        if one.event is None and one.state != "revealed":
            await request.app[QUESTIONS].subject(room, one)
    if query.format == "csv":
        return web.Response(text=as_csv(found), content_type="text/csv", charset="utf-8")
    return answer({"questions": [_shape(request, one) for one in found]})


def _shape(request: web.Request, question: Question) -> dict[str, Any]:
    """A question as this visitor may see it; with a session also whether that has answered."""
    shape = question.shape(is_host=is_host(request))
    if voters := _voters(request, question):
        shape["answered"] = question.answered(voters) is not None
    return shape


def _voters(request: web.Request, question: Question) -> list[str]:
    """Whose answer a request is: that of its session, and of all tabs of its browser together.

    Programs of a class may share what keeps their cookies, so theirs are not looked at.
    """
    secrets = [session_of(request)]
    if secrets[0] and request.headers.keys() & {"Origin", "Sec-Fetch-Site"}:
        secrets.append(request.cookies.get(DEVICE))
    return [question.voter(secret) for secret in secrets if secret]


async def post_answer(request: web.Request) -> web.Response:
    """Answer once a round, as a participant who is here."""
    Query.read(request.query)
    sent = await Answered.read(request)
    node, room = await room_named(request)
    questions = request.app[QUESTIONS]
    question = _found(await questions.of(room), request.match_info["id"])
    if sent.choice not in question.choices:
        codes = ", ".join(question.choices)
        raise Refused("unknown_choice", f"`choice` is one of {codes}: send one.", status=422)
    _check_open(question, sent.round)
    session = session_of(request)
    if session is None or not any(
        session_mark(session) in one.marks for one in room.state.members.values()
    ):
        raise Forbidden(
            "not_in_room",
            "Only who is in the room answers: connect with a `session` of your own (16–64"
            " characters), and send it as the header Orders-Session.",
        )
    voters = _voters(request, question)
    if question.answered(voters) is None:
        data = {"question": question.id, "round": question.round, "choice": sent.choice}
        record = await node.host.note(room.name, Kind.ANSWERED, **data, voters=voters)
        if question.answered(voters) == record.position:
            return web.Response(status=204)
        if question.answered(voters) is None:
            _check_open(question, 0)
    raise Refused("already_answered", "You have answered in this round already.", status=409)


def _check_open(question: Question, meant: int | None) -> None:
    if question.state != "open" or meant not in (None, question.round):
        raise Refused("question_closed", "This round is over: it takes no answers.", status=409)


async def act(request: web.Request) -> web.Response:
    """Close the round, open the second, or let the event go and say what was right."""
    node, room = await hosted(request)
    what, questions = request.match_info["act"], request.app[QUESTIONS]
    async with questions.asking:
        question = _found(await questions.of(room), request.match_info["id"])
        kind = {"close": Kind.CLOSED, "again": Kind.ASKED, "reveal": Kind.REVEALED}[what]
        if not question.may(kind):
            raise _refused(question)
        data: dict[str, Any] = {"question": question.id, "round": question.round}
        if what != "close":
            event = await questions.subject(room, question)
            data |= {"event": question.event, "text": question.text}
        if what == "again":
            data |= {"round": question.round + 1, "asks": question.kind, "order": question.order}
            data["choices"] = listed(question.choices)
        elif what == "reveal":
            if question.state == "closed":
                await questions.release(room, question, event)
            truth = Truth("", "No event came.")
            if event is not None:
                truth = await questions.truth(room, question, event)
            del data["round"]
            data |= {"truth": truth.choice or None, "why": truth.why, "so_far": truth.so_far}
            data["votes"] = question.votes
        await node.host.note(room.name, kind, **data)
    return answer(_shape(request, question))


def _found(questions: Questions, id: str) -> Question:
    if id not in questions.by_id:
        raise NotFound(
            "unknown_question",
            f"There is no question {id[:40]!r} in this room: see GET …/questions for those there"
            " are.",
        )
    return questions.by_id[id]


#: By the state of a question: the code and the sentence of what the host may do instead.
INSTEAD = {
    "open": ("question_open", "close it"),
    "closed": ("question_closed", "ask it once again, if it was asked only once, or reveal it"),
    "revealed": ("question_revealed", "ask another"),
}


def _refused(question: Question) -> Refused:
    code, instead = INSTEAD[question.state]
    return Refused(
        code,
        f"The question {question.text!r} is {question.state}, in round {question.round}: {instead}"
        " first.",
        status=409,
    )
