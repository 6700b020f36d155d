"""A pipe or a device where a file is named is refused; to open one may take for ever."""

import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from orders.classroom.lesson import read
from orders.cli.options import settings_from
from orders.doctor import examine, save_intact
from orders.errors import OrdersError
from orders.journal.sqlite.opening import lock, unusable
from orders.settings import Settings

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="FIFOs are those of POSIX")


def locked(path: Path) -> None:
    try:
        lock(path)
    except OSError as error:
        raise unusable(path, error) from None


def saved(path: Path) -> None:
    save_intact(Settings(journal=str(path)), path.with_name("new.db"))


def read_creds(path: Path) -> None:
    starting = pytest.importorskip("orders.journal.nats.starting", exc_type=ImportError)
    starting.readable(str(path))


def trusted(path: Path) -> None:
    starting = pytest.importorskip("orders.journal.nats.starting", exc_type=ImportError)
    starting.trusting(str(path))


def examined(path: Path) -> None:
    problems = [found for found in examine(Settings(journal=str(path))) if found.state == "problem"]
    raise OrdersError("", str(problems))


@pytest.fixture(params=["it is a pipe", "it is a device"])
def special(tmp_path: Path, request: pytest.FixtureRequest) -> tuple[Path, str]:
    """A pipe, or a link to a device; and how that is said."""
    path = tmp_path / "special"
    if request.param == "it is a pipe":
        os.mkfifo(path)
    else:
        path.symlink_to(os.devnull)
    return path, request.param


@pytest.mark.parametrize(
    "use",
    [locked, examined, saved, read, read_creds, trusted],
    ids=["journal", "doctor", "save", "lesson", "creds", "ca"],
)
@pytest.mark.timeout(60)
def test_what_is_no_file_is_refused_and_never_waited_for(
    special: tuple[Path, str], use: Callable[[Path], object]
) -> None:
    path, said = special
    with pytest.raises(OrdersError) as refused:
        use(path)
    assert said in refused.value.message
    assert str(path) in refused.value.message


def test_an_env_file_that_is_none_is_refused_unless_it_is_a_folder(
    special: tuple[Path, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    path, said = special
    monkeypatch.chdir(path.parent)
    path.rename(".env")
    with pytest.raises(OrdersError) as refused:
        settings_from({})
    assert said in refused.value.message
    Path(".env").unlink()
    Path(".env").mkdir()
    assert settings_from({}).port is None
