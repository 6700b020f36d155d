"""The pure modules of the pages (reducers, layout, filters) have their own tests, run by Node."""

import re
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


STATIC = HERE.parents[1] / "static"
#: Folders whose modules others share, lowest first; a page's own folder lies above them all.
SHARED = ("vendor", "ui", "question", "room", "orders", "event")
#: The style guide shows what the pages draw; the file to take home replays what the stage showed.
SEES_PAGES = ("styleguide", "takehome")
IMPORT = re.compile(r"""\b(?:from|import)\s*\(?\s*['"]([./][^'"]+\.js)['"]""")


MODULES = sorted(path for path in STATIC.rglob("*.js") if "vendor" not in path.parts)
COMMENT = re.compile(r"/\*.*?\*/|//.*?$", re.DOTALL | re.MULTILINE)


def name_of(module: Path) -> str:
    return module.relative_to(STATIC).as_posix()


@pytest.mark.parametrize("module", MODULES, ids=name_of)
def test_a_module_of_the_pages_imports_only_what_is_there_and_lies_below_it(module: Path) -> None:
    def rank(path: Path) -> int:
        folder = path.relative_to(STATIC).parts[0]
        return SHARED.index(folder) if folder in SHARED else len(SHARED)

    own = module.relative_to(STATIC).parts[0]
    for found in IMPORT.findall(module.read_text(encoding="utf-8")):
        base = STATIC.parent if found.startswith("/") else module.parent
        target = (base / found.lstrip("/")).resolve()
        assert target.is_file(), found
        folder = target.relative_to(STATIC).parts[0]
        assert folder == own or own in SEES_PAGES or rank(target) < rank(module), found
