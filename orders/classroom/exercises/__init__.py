"""The twelve stages, each a file: its text is the docstring, from which its page is made."""

import pkgutil
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from importlib import import_module
from inspect import cleandoc

from orders.classroom.exam import Exam


@dataclass(frozen=True, slots=True)
class Stage:
    """One stage. `text` is paragraphs; `hints` are given one after the other."""

    number: int
    title: str
    text: str
    hints: tuple[str, ...]
    judge: Callable[[Exam], Awaitable[None]]

    @property
    def paragraphs(self) -> list[str]:
        """The text, one line a paragraph; what stands in backticks is code."""
        return [" ".join(one.split()) for one in self.text.split("\n\n")]


def _read(name: str) -> Stage:
    module = import_module(f"{__name__}.{name}")
    title, _, text = cleandoc(module.__doc__ or "").partition("\n\n")
    return Stage(int(name[5:7]), title.rstrip("."), text, module.HINTS, module.judge)


STAGES = tuple(_read(name) for name in sorted(m.name for m in pkgutil.iter_modules(__path__)))
