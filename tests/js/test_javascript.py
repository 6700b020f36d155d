"""The pure modules of the pages (reducers, layout, filters) have their own tests, run by Node."""

import shutil
import subprocess
from pathlib import Path

import pytest

HERE = Path(__file__).parent
NODE = shutil.which("node")


@pytest.mark.skipif(
    NODE is None, reason="Node.js is not installed: the pages' pure modules go untested"
)
@pytest.mark.parametrize("file", sorted(HERE.glob("*.test.mjs")), ids=lambda file: file.stem)
def test_the_pure_modules_of_the_pages_do_what_their_tests_say(file: Path) -> None:
    assert NODE is not None
    run = subprocess.run(
        [NODE, "--test", str(file)], capture_output=True, text=True, timeout=60, check=False
    )
    assert run.returncode == 0, run.stdout + run.stderr
    assert "# pass 0" not in run.stdout
