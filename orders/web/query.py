"""The query of an address: a model says what it takes, one piece of code reads and explains it."""

from collections.abc import Mapping
from difflib import get_close_matches
from typing import Self

from pydantic import BaseModel, ConfigDict, ValidationError

from orders.domain.envelope import UUID
from orders.domain.mistakes import short
from orders.errors import WrongParameter

#: `start`, or the id of an event.
PLACE = rf"^start$|{UUID}"


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
        likely = get_close_matches(name.lower(), cls.model_fields, 1)
        meant = f"; did you mean `{likely[0]}`?" if likely else "."
        takes = f"It takes {', '.join(known)}." if known else "It takes none."
        return f"{short(name)} is no parameter of this address{meant} {takes}"
