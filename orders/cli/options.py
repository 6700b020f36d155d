"""The settings of the server as flags of `orders serve`: made from `Settings`, so they agree."""

import inspect
import re
import types
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Union, get_args, get_origin

import typer
from pydantic import ValidationError
from pydantic.fields import FieldInfo

from orders.errors import CannotStart
from orders.files import check_file
from orders.settings import ENV_FILE, Settings

_BEGINNING = r"^(Input|String|Value error,)(?= (should|must))"  # of what pydantic says


def with_settings(command: Callable[..., None]) -> Callable[..., None]:
    """Let a command that takes `settings` have a flag for each of them instead."""

    def flagged(**given: Any) -> None:
        named = {name: given.pop(name) for name in Settings.model_fields}
        command(settings=settings_from(named), **given)

    own = [
        parameter
        for name, parameter in inspect.signature(command).parameters.items()
        if name != "settings"
    ]
    parameters = [_flag(name, field) for name, field in Settings.model_fields.items()] + own
    flagged.__doc__ = command.__doc__
    flagged.__name__ = command.__name__
    flagged.__annotations__ = {p.name: p.annotation for p in parameters}
    vars(flagged)["__signature__"] = inspect.Signature(parameters)
    return flagged


def settings_from(flags: dict[str, Any]) -> Settings:
    """The settings, where a flag that was given beats the environment and the `.env` file."""
    try:
        if not Path(ENV_FILE).is_dir():  # that may be an environment of Python's
            check_file(ENV_FILE)
        return Settings(**{name: value for name, value in flags.items() if value not in (None, [])})
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        name, expected = str(first["loc"][0]), re.sub(_BEGINNING, "it", first["msg"])
        setting = f"{_flag_of(name)} (or ORDERS_{name.upper()})"
        raise CannotStart(
            "wrong_setting", f"{setting} is {first['input']!r}: {expected}."
        ) from None
    except UnicodeDecodeError:
        raise CannotStart(
            "wrong_setting",
            "The file .env here is not in UTF-8, as an editor or PowerShell may write it: save it"
            " again with the encoding UTF-8.",
        ) from None
    except OSError as error:
        raise CannotStart(
            "wrong_setting", f"The file .env here cannot be read: {error.strerror}."
        ) from None


def _flag(name: str, field: FieldInfo) -> inspect.Parameter:
    flag = _flag_of(name)
    kind = _kind(field.annotation)
    names = [f"{flag}/--no-{flag[2:]}"] if kind is bool else [flag]
    default = "" if field.default in (None, ()) else f" [default: {_shown(field.default)}]"
    option = typer.Option(
        *names,
        help=f"{field.description}{default}",
        show_default=False,
        metavar={int: "N", float: "N", bool: None}.get(kind, "TEXT"),
    )
    annotation = list[str] if kind is tuple else kind
    return inspect.Parameter(
        name,
        inspect.Parameter.POSITIONAL_OR_KEYWORD,
        default=None,
        annotation=Annotated[annotation | None, option],
    )


def _flag_of(name: str) -> str:
    return f"--{name.replace('_', '-')}"


def _kind(annotation: Any) -> Any:
    """The plain type of a setting: int, float, bool, str, or tuple for several names."""
    if get_origin(annotation) in (Union, types.UnionType):
        return next(kind for kind in get_args(annotation) if kind is not type(None))
    return get_origin(annotation) or annotation


def _shown(value: Any) -> str:
    if isinstance(value, bool):
        return "on" if value else "off"
    return f"{value:g}" if isinstance(value, float) else str(value)
