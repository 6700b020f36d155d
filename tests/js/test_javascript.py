"""The pure modules of the pages (reducers, layout, filters) have their own tests, run by Node."""

import subprocess
from pathlib import Path

import playwright
import pytest

from tests.wire import DEADLINE

HERE = Path(__file__).parent
NODE = Path(playwright.__file__).parent / "driver" / "node"  # Playwright brings its own


@pytest.mark.parametrize("file", sorted(HERE.glob("*.test.mjs")), ids=lambda file: file.stem)
def test_the_pure_modules_of_the_pages_do_what_their_tests_say(file: Path) -> None:
    run = subprocess.run(
        [NODE, "--test", str(file)], capture_output=True, text=True, timeout=DEADLINE, check=False
    )
    assert run.returncode == 0, run.stdout + run.stderr
    assert "# pass 0" not in run.stdout
