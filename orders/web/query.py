"""What a request brings: a model says what is taken of it, one piece of code reads and explains."""

from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any, ClassVar, Self

from aiohttp import web
from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic_core import from_json

from orders.domain.envelope import UUID, is_room
from orders.domain.mistakes import short
from orders.errors import Refused, WrongParameter

#: `start`, or the id of an event.
PLACE = rf"^start$|{UUID}"
ALIKE = 0.65  # and more: so much alike is what was sent and what was meant


class Query(BaseModel):
    """The parameters that an address takes; this one takes none.

    The `description` of a field ends the sentence "it must be …".
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    @classmethod
    def read(cls, query: Mapping[str, str]) -> Self:
        """Every parameter, or `WrongParameter` with the first that is unknown or wrong."""
        names = [name for name, _ in query.items()]  # of one that stands twice, too
        for name in names:
            if name not in cls.model_fields:
                raise WrongParameter("wrong_parameter", cls._unknown(name))
            if names.count(name) > 1:
                said = f"`{name}` stands in the address more than once: give it once, such as"
                raise WrongParameter("wrong_parameter", f"{said} {name}={query[name]}.")
        try:
            return cls.model_validate_strings({name: query[name] for name in query})
        except ValidationError as error:
            name = str(error.errors(include_url=False)[0]["loc"][0])
            expected = cls.model_fields[name].description or "a text in UTF-8"
            raise WrongParameter(
                "wrong_parameter", f"`{name}` is {short(query[name])}; it must be {expected}."
            ) from None

    @classmethod
    def _unknown(cls, name: str) -> str:
        known = [f"`{field}`" for field in cls.model_fields]
        likely = get_close_matches(name.lower(), cls.model_fields, 1, ALIKE)
        meant = f"; did you mean `{likely[0]}`?" if likely else "."
        takes = f"It takes {', '.join(known)}." if known else "It takes none."
        return f"{short(name)} is no parameter of this address{meant} {takes}"


class Body(BaseModel):
    """The JSON object that an address takes. `expected` begins the sentence about a wrong one."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    expected: ClassVar[str]
    example: ClassVar[str]

    @classmethod
    async def read(cls, request: web.Request) -> Self:
        """What was sent; `Refused` where it is something else."""
        try:
            return cls.model_validate(await read_object(request, cls.example))
        except ValidationError:
            raise Refused("wrong_request", f"{cls.expected}: send {cls.example}.") from None


async def read_object(request: web.Request, example: str) -> dict[str, Any]:
    """A JSON object of any kind; an empty one where nothing was sent."""
    text = await request.read()
    try:
        sent = from_json(text or b"{}")
    except ValueError:
        sent = None
    if not isinstance(sent, dict):
        raise Refused("wrong_request", f"Send a JSON object, such as {example}.")
    return sent


def room_in_path(request: web.Request) -> str:
    """The name of a room that there may be; `Refused` for any other."""
    if not is_room(name := request.match_info["room"]):
        raise Refused("wrong_parameter", "A room's name is 1–32 of a–z, 0–9 and `-`, such as main.")
    return name


def however_ended(*routes: web.RouteDef) -> list[web.RouteDef]:
    """These routes, and the same with a slash at the end."""
    ended = [web.RouteDef(r.method, f"{r.path}/", r.handler, r.kwargs) for r in routes]
    return [*routes, *ended]
