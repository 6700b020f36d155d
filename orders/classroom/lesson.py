"""A lesson is data: `lesson.toml`, read and checked."""

import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    field_validator,
    model_validator,
)

from orders.broker.modes import Mode
from orders.errors import CannotStart
from orders.files import check_file

#: The lesson that comes with Orders.
BUNDLED = Path(__file__).with_name("lesson.toml")
MOST_WORDS = 12
CUTS = (20, 45, 90)
SPEEDS = (1, 0.5, 0.25)  # those on the stage


def _short(text: str) -> str:
    if not 1 <= len(text.split()) <= MOST_WORDS:
        raise ValueError(f"it has {len(text.split())} words, and must have 1 to {MOST_WORDS}")
    return text


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class BotOfScene(_Part):
    """A bot of a scene; `thinks` is how long it looks at an order, in seconds."""

    thinks: float = Field(0.0, ge=0, le=60)
    naive: bool = False


class Scene(_Part):
    """One idea: what the stage shows and asks, and how the room is set for it.

    `lease` is in seconds, None: as the server was started. `band` is
    what opens below the picture, `asks` what the class is asked to predict. `minutes`: what the
    scene takes in each cut of the lesson that has it. `seen`: the sentences that come true on the
    projector.
    """

    caption: Annotated[str, AfterValidator(_short)]
    question: str = Field(min_length=1)
    answer: str = Field(min_length=1)
    mode: Mode
    bots: tuple[BotOfScene, ...] = Field((), max_length=5)
    lease: float | None = Field(None, gt=0)
    speed: float = 1
    band: Literal["tools", "diagram", "table"] | None = None
    asks: Literal["receivers", "outcome"] | None = None
    seen: tuple[str, ...] = Field(min_length=1)
    minutes: dict[Literal["20", "45", "90"], Annotated[int, Field(ge=1)]] = Field(min_length=1)

    @field_validator("speed")
    @classmethod
    def _offered(cls, speed: float) -> float:
        if speed not in SPEEDS:
            raise ValueError(f"it is {speed:g}, and must be 1, 0.5 or 0.25")
        return speed


class Lesson(_Part):
    """The scenes in their order; they are counted from 1."""

    title: str = Field(min_length=1)
    scenes: tuple[Scene, ...] = Field(min_length=1)

    @property
    def cuts(self) -> dict[str, list[int]]:
        """The numbers of the scenes in each cut."""
        numbered = list(enumerate(self.scenes, 1))
        return {str(cut): [n for n, s in numbered if str(cut) in s.minutes] for cut in CUTS}

    @model_validator(mode="after")
    def _in_time(self) -> "Lesson":
        for cut in CUTS:
            takes = sum(
                minutes for s in self.scenes for c, minutes in s.minutes.items() if c == str(cut)
            )
            if takes > cut:
                raise ValueError(
                    f"its cut of {cut} minutes takes {takes}: shorten or leave out scenes"
                )
        return self


def read(path: Path) -> Lesson:
    """The lesson in a file, or `CannotStart` with the file, the scene and what was expected."""
    try:
        check_file(path)
        return Lesson.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except OSError as error:
        raise _wrong(path, f"it cannot be read ({error.strerror})") from None
    except ValidationError as error:
        raise _wrong(path, _first(error)) from None
    except ValueError as error:
        raise _wrong(path, str(error)) from None


def _wrong(path: Path, why: str) -> CannotStart:
    return CannotStart("wrong_lesson", f"The lesson {path} cannot be used: {why}.")


def _first(error: ValidationError) -> str:
    """The first thing that is wrong: "scene 4, `caption`: it has 14 words, …"."""
    first = error.errors(include_url=False)[0]
    where: list[Any] = [*first["loc"]]
    scene = f"scene {where[1] + 1}, " if len(where) > 1 and where[0] == "scenes" else ""
    field = ".".join(str(part) for part in where[2 if scene else 0 :])
    said = first["msg"].removeprefix("Value error, ")
    expected = said[0].lower() + said[1:]
    return f"{scene}`{field}`: {expected}" if field else f"{scene}{expected}"
