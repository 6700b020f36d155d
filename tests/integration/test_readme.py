"""The programs in the README do what it says they do."""

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.process import environment, running
from tests.rooms import Room
from tests.wire import DEADLINE, until

README = Path(__file__).parents[2] / "README.md"
PROGRAMS = re.findall(r"```python\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)
NAMES = ("carol", "dave", "erin")


def test_the_readme_has_a_program_for_each_of_them() -> None:
    assert [re.findall("carol|dave|erin", program)[0] for program in PROGRAMS] == list(NAMES)


@pytest.mark.parametrize("name", NAMES)
async def test_a_program_from_the_readme_places_an_order_and_hears_that_it_is_confirmed(
    server: Any, http: aiohttp.ClientSession, tmp_path: Path, name: str
) -> None:
    program = PROGRAMS[NAMES.index(name)].replace("localhost:8080", f"localhost:{server.port}")
    room = Room(http, server)
    output = tmp_path / "output"
    with running("bot", server.url, cwd=tmp_path), output.open("wb") as file:
        await room.has("bob")
        process = subprocess.Popen(
            [sys.executable, "-u", "-c", program],
            cwd=tmp_path,
            env=environment(),
            stdout=file,
            stderr=subprocess.STDOUT,
        )
        try:

            async def confirmed() -> bool:
                assert process.poll() is None, output.read_text()
                return "order_confirmed" in output.read_text()

            await until(confirmed, f"{name} hears of the confirmation")
        finally:
            process.kill()
            process.wait(DEADLINE)
    assert [event["source"] for event in await room.log()] == [name, "bob"]
