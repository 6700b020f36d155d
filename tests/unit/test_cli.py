"""The command line, as far as it needs no server."""

import io
import json
import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest
from typer.testing import CliRunner

from orders import __version__, cli
from orders.broker.records import Kind, control
from orders.cli import output
from orders.cli.options import settings_from
from orders.cli.place import orders_to_place, share_of
from orders.cli.serve import announce, qr_code
from orders.clients.memory import Memory
from orders.doctor import examine, save_intact
from orders.domain.confirming import Confirmed, decide
from orders.domain.envelope import Event
from orders.errors import CannotStart, Refused
from orders.journal.sqlite.engine import SqliteEngine
from orders.settings import Settings

COMMANDS = ["demo", "serve", "bot", "place", "tail", "export", "check", "doctor"]


def run(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(cli.app, arguments)
    return result.exit_code, result.output


def run_main(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int | str | None:
    monkeypatch.setattr(sys, "argv", ["orders", *arguments])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    return ended.value.code


def test_it_says_which_version_it_is() -> None:
    assert run("--version") == (0, f"orders {__version__}\n")


def test_help_names_every_command_and_the_exit_codes() -> None:
    code, text = run("--help")
    assert code == 0
    assert all(f"\n  {command} " in text for command in COMMANDS)
    assert "Exit codes: 0 done, 1" in text


@pytest.mark.parametrize(
    ("shell", "asked"),
    [
        ("bash", {"COMP_WORDS": "orders exp", "COMP_CWORD": "1"}),
        ("zsh", {"_TYPER_COMPLETE_ARGS": "orders exp"}),
        ("fish", {"_TYPER_COMPLETE_ARGS": "orders exp", "_TYPER_COMPLETE_FISH_ACTION": "get-args"}),
        (
            "powershell",
            {"_TYPER_COMPLETE_ARGS": "orders exp", "_TYPER_COMPLETE_WORD_TO_COMPLETE": "exp"},
        ),
    ],
)
def test_every_shell_completes_commands(shell: str, asked: dict[str, str]) -> None:
    environment = {**os.environ, "_ORDERS_COMPLETE": f"complete_{shell}", **asked}
    command = [sys.executable, "-c", "from orders.cli import main; main()"]
    said = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert "export" in said.stdout
    assert "place" not in said.stdout


@pytest.mark.parametrize("command", COMMANDS)
def test_the_help_of_every_command_has_an_example(command: str) -> None:
    code, text = run(command, "--help")
    assert code == 0
    assert f"\n  orders {command}" in text


@pytest.mark.parametrize("command", ["serve", "doctor"])
@pytest.mark.parametrize("setting", sorted(Settings.model_fields))
def test_every_setting_is_a_flag_with_its_description(command: str, setting: str) -> None:
    _, text = run(command, "--help")
    assert f" --{setting.replace('_', '-')} " in text
    description = str(Settings.model_fields[setting].description)
    assert "".join(description.split()) in "".join(text.split())


def test_a_flag_beats_the_environment_and_what_is_not_given_is_left_to_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ORDERS_PORT", "9000")
    monkeypatch.setenv("ORDERS_RATE", "7")
    settings = settings_from({"port": 9001, "rate": None, "lan": None, "allow_host": []})
    assert (settings.port, settings.rate, settings.lan, settings.allow_host) == (9001, 7, False, ())


def test_a_wrong_setting_is_named_as_flag_and_in_the_environment() -> None:
    with pytest.raises(CannotStart) as refused:
        settings_from({"port": 99999})
    assert refused.value.message == (
        "--port (or ORDERS_PORT) is 99999: it should be less than or equal to 65535."
    )


def test_what_cannot_be_done_is_one_sentence_on_stderr_and_exit_code_1(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_main(monkeypatch, "serve", "--port", "99999") == 1
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.startswith("--port (or ORDERS_PORT) is 99999")
    assert printed.err.count("\n") == 1


@pytest.mark.parametrize("command", ["place", "tail", "export"])
def test_without_a_server_a_command_says_how_to_start_one(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], command: str
) -> None:
    # Port 1 is never listened on, and needs no privilege to be refused.
    assert run_main(monkeypatch, command, "http://127.0.0.1:1") == 1
    printed = capsys.readouterr()
    assert "No server answers at http://127.0.0.1:1" in printed.err
    assert "orders serve" in printed.err
    assert printed.err.count("\n") == 1


def test_wrong_usage_is_exit_code_2(monkeypatch: pytest.MonkeyPatch) -> None:
    assert run_main(monkeypatch, "bot", "--nope") == 2


def test_a_share_is_given_in_percent_or_as_a_number() -> None:
    assert share_of("20%") == share_of(" 0.2") == 0.2
    for wrong in ("", "many", "120%", "-1", "nan"):
        with pytest.raises(Refused, match="20%"):
            share_of(wrong)


def test_a_share_of_the_orders_placed_is_what_bob_must_reject() -> None:
    orders = orders_to_place(7, 50, 0.2, {})
    verdicts = [
        decide(
            Event(type="order_placed", source="alice", data=data),
            Memory(),
        )
        for data in orders
    ]
    assert len(orders) == 50
    assert sum(verdict != Confirmed() for verdict in verdicts) == 10
    assert orders[0]["id"] == 7
    assert orders_to_place(1, 2, 0, {"item": "mint tea", "quantity": 3}) == [
        {"id": 1, "item": "mint tea", "quantity": 3},
        {"id": 2, "item": "mint tea", "quantity": 3},
    ]


def test_what_would_steer_a_terminal_is_named_instead() -> None:
    assert output.printable("naïve ✓") == "naïve ✓"
    assert (
        output.printable("a\x1b[31m\r\n\u202eb\x9b") == "a\\u001b[31m\\u000d\\u000a\\u202eb\\u009b"
    )
    line = output.as_json({"note": "\u202e\x1b]0;x\x07 ü\u2028"})
    assert json.loads(line) == {"note": "\u202e\x1b]0;x\x07 ü\u2028"}
    assert json.loads(output.as_json("\U000e0001👍🏽")) == "\U000e0001👍🏽"
    assert not any(ord(char) < 32 or char in "\u202e\u2028" for char in line)


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_colour_is_for_terminals_that_want_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    assert output.paint("yes", "confirmed", Terminal()) == "\x1b[32myes\x1b[0m"
    assert output.paint("yes", "confirmed", io.StringIO()) == "yes"
    monkeypatch.setenv("NO_COLOR", "1")
    assert output.paint("yes", "confirmed", Terminal()) == "yes"


@dataclass
class Served:
    """What `announce` is told of a server."""

    port: int
    url: str = "http://localhost:8081"
    host_url: str = "http://192.168.1.20:8081/host?token=secret"
    urls: tuple[str, ...] = ("http://localhost:8081", "http://192.168.1.20:8081")


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        (Settings(), ["Open http://localhost:8081", "for a class: ", "Ctrl-C", "Port 8080 is"]),
        (
            Settings(lan=True),
            ["Open http://192.168.1.20:8081/host", "the class: http://192", "Ctrl-C", "Port"],
        ),
    ],
)
def test_it_says_what_to_open_what_a_class_opens_and_how_to_end_it_in_this_order(
    monkeypatch: pytest.MonkeyPatch, settings: Settings, said: list[str]
) -> None:
    console = io.StringIO()
    monkeypatch.setattr(sys, "stdout", console)
    monkeypatch.setattr(sys, "stderr", console)
    announce(Served(8081), settings)  # type: ignore[arg-type]
    text = console.getvalue()
    places = [text.index(one) for one in said]
    assert places == sorted(places)
    assert text.startswith(said[0])


def test_the_qr_code_is_a_square_of_blocks() -> None:
    lines = qr_code("http://192.168.1.20:8080").splitlines()
    assert len({len(line) for line in lines}) == 1
    assert len(lines) >= 12
    assert set("".join(lines)) <= set("█▀▄ ")


def test_the_doctor_finds_what_is_wrong_and_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    nowhere = Settings(port=0, journal=str(tmp_path / "no" / "such" / "folder" / "orders.db"))
    problems = [finding for finding in examine(nowhere) if finding.state == "problem"]
    assert any("cannot be written" in finding.what for finding in problems)
    assert all(finding.advice for finding in problems)


async def test_the_doctor_says_what_is_damaged_in_a_journal_and_saves_the_rest(
    tmp_path: Path,
) -> None:
    path, saved = tmp_path / "class.db", tmp_path / "saved.db"
    settings = Settings(port=0, journal=str(path))
    engine = SqliteEngine(path)
    await engine.open()
    await engine.append([control("main", Kind.PAUSED, n, paused=True) for n in range(3)])
    await engine.close()
    assert any("holds 3 records" in finding.what for finding in examine(settings))
    with closing(sqlite3.connect(path)) as db, db:
        db.execute("UPDATE records SET at = 99 WHERE at = 1")
    (damaged,) = [finding for finding in examine(settings) if finding.state == "problem"]
    assert "the record at position 2 of room main is damaged" in damaged.what
    (rest,) = [
        finding
        for finding in examine(settings)
        if "Of 3 records that can be read 2" in finding.what
    ]
    assert "--save" in rest.advice
    assert save_intact(settings, saved).startswith(f"{saved} has 2 of 3 records; left out: the re")
    sound = Settings(port=0, journal=str(saved))
    assert not [finding for finding in examine(sound) if finding.state == "problem"]
    with pytest.raises(Refused, match="exists: name a new file"):
        save_intact(settings, saved)
    with pytest.raises(Refused, match=r"--journal class\.db"):
        save_intact(Settings(journal="memory"), tmp_path / "other.db")


def test_the_doctor_finds_a_port_that_somebody_else_has(tmp_path: Path) -> None:
    import socket

    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        settings = Settings(port=port, journal=str(tmp_path / "orders.db"))
        # Nobody accepts: those who ask what this server is must give up by themselves.
        findings = examine(settings)
    (found,) = (finding for finding in findings if str(port) in finding.what.split("cannot")[0])
    assert found.state == "problem"
    assert "--port" in found.advice


def test_the_doctor_says_which_proxy_stands_before_this_machine(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("orders.doctor.lan_addresses", lambda: ["127.0.0.1"])
    monkeypatch.setenv("http_proxy", "http://proxy.school:3128")
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    found = [finding.what for finding in examine(Settings())]
    assert any("http://proxy.school:3128" in what for what in found)
    monkeypatch.setenv("no_proxy", "localhost,127.0.0.1")
    assert not any("proxy.school" in finding.what for finding in examine(Settings()))
