"""The languages of the starters: how a program of each is run, and what it takes."""

import contextlib
import os
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path

import playwright
from playwright.async_api import Browser

ROOT = Path(__file__).parents[2]
STARTERS, SOLUTIONS = ROOT / "starters", Path(__file__).parent / "solutions"
PAGE = f"file://{SOLUTIONS}/browser/bob.html"
NODE = str(Path(playwright.__file__).parent / "driver" / "node")  # Playwright brings its own

#: Lets a program take part at an address, for as long as the context that it gives.
Begin = Callable[[str], AbstractAsyncContextManager[None]]


@dataclass(frozen=True)
class Language:
    """How to run a program: the command, to which the file is added, and the tools it needs."""

    name: str
    file: str
    command: tuple[str, ...]
    needs: tuple[str, ...] = ()

    @property
    def missing(self) -> list[str]:
        return [tool for tool in self.needs if shutil.which(tool) is None]

    @contextlib.contextmanager
    def runs(self, top: Path, *arguments: str) -> Iterator[subprocess.Popen[bytes]]:
        """A program of this language at work, until this context ends."""
        program = subprocess.Popen(
            [*self.command, str(top / self.name / self.file), *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            yield program
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(program.pid, 9)
            program.wait()
            if program.stdout:
                program.stdout.close()


def runs_of(language: Language) -> Begin:
    """The solution in this language at work for as long as a context."""

    @contextlib.asynccontextmanager
    async def begin(address: str) -> AsyncIterator[None]:
        with language.runs(SOLUTIONS, address):
            yield

    return begin


def pages_of(browser: Browser) -> Begin:
    """The solution for a browser at work, opened from the disk, for as long as a context."""

    @contextlib.asynccontextmanager
    async def begin(address: str) -> AsyncIterator[None]:
        page = await browser.new_page()
        await page.goto(PAGE)
        await page.get_by_label("Address").fill(address)
        await page.get_by_text("Start").click()
        yield
        await page.close()

    return begin


#: Those that are run as a command; the browser's is a page.
LANGUAGES = (
    Language("node", "bob.mjs", (NODE,)),
    Language("python", "bob.py", (sys.executable,)),
    Language("python-orders", "bob.py", (sys.executable,)),
    Language("java", "Bob.java", ("java",), ("java", "javac")),
    Language("bash", "bob.sh", ("bash",), ("bash", "jq", "websocat")),
)
