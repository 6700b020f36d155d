"""The `orders` command. Each imports what it needs when it runs, so that all start quickly."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from orders import __version__
from orders.cli.options import with_settings
from orders.cli.output import have_streams, note, paint, say, take_any_character, written_out
from orders.cli.running import run, until_stdin_closes
from orders.clients.address import DEFAULT_URL, understood
from orders.domain.menu import MENU
from orders.errors import OrdersError
from orders.settings import Settings

app = typer.Typer(
    name="orders",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Exit codes: 0 done, 1 it could not be done (stderr says why), 2 wrong usage,"
    " 130 stopped before it was done. NO_COLOR turns colours off.",
)

Url = Annotated[str, typer.Argument(metavar="URL", help="the server, or one of its pages")]
Save = Annotated[Path | None, typer.Option(help="a new file for what is intact in the journal")]
Room = Annotated[
    str | None, typer.Option(help="the room; else the one in the URL, else main", metavar="NAME")
]
Json = Annotated[bool, typer.Option("--json", help="a JSON object a line, for programs")]


def _version(wanted: bool) -> None:
    if wanted:
        say(f"orders {__version__}")
        raise typer.Exit


@app.callback()
def orders(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="say which this is")
    ] = False,
) -> None:
    """Event-driven architecture, made visible.

    \b
    orders demo                       a server, Bob, and a browser
    orders serve --lan                for a class: every address, a QR code
    orders place --count 50 --invalid 20%
    """


@app.command()
@with_settings
def demo(settings: Settings) -> None:
    """Show it: the server, Bob, who confirms, and a browser. Takes the flags of `serve`.

    \b
    orders demo
    orders demo --lan                 for a class, with Bob
    """
    from orders.cli.serve import serve_until_stopped

    serve_until_stopped(settings, open_browser=True, with_bot=True)


@app.command()
@with_settings
def serve(
    settings: Settings,
    open_: Annotated[bool, typer.Option("--open", help="open the browser")] = False,
    with_bot: Annotated[bool, typer.Option("--with-bot", help="bring Bob, who confirms")] = False,
    reload: Annotated[bool, typer.Option("--reload", help="restart when source changes")] = False,
) -> None:
    """Run the server.

    Every setting may also come from the environment, as ORDERS_PORT=9000, or from a .env file.

    \b
    orders serve                      on localhost:8080, or the next free port
    orders serve --lan                for a class: every address, a QR code
    orders serve --port 0 --journal memory
    """
    from orders.cli.serve import serve_again_on_change, serve_until_stopped

    if reload:
        arguments = [argument for argument in sys.argv[2:] if argument != "--reload"]
        raise typer.Exit(serve_again_on_change(arguments))
    serve_until_stopped(settings, open_browser=open_, with_bot=with_bot)


@app.command()
def bot(
    url: Url = DEFAULT_URL,
    name: Annotated[str, typer.Option(help="what to be called", metavar="NAME")] = "bob",
    room: Room = None,
    delay: Annotated[
        float, typer.Option(min=0, help="seconds to look at each order", metavar="SECONDS")
    ] = 0.0,
    naive: Annotated[
        bool, typer.Option("--naive", help="remember nothing: shows what care is for")
    ] = False,
    json: Json = False,
    stdin: Annotated[bool, typer.Option("--until-stdin-closes", hidden=True)] = False,
) -> None:
    """Be Bob: confirm or reject each order. Comes back by itself when the server is away.

    \b
    orders bot --delay 2
    orders bot http://192.168.1.20:8080 --name bob-at-home
    """
    from orders.cli.bot import confirm_orders

    work = confirm_orders(
        url, _room(room, url), name, delay, naive=naive, json=json, of_server=stdin
    )
    raise typer.Exit(_ended(run(until_stdin_closes(work) if stdin else work)))


@app.command()
def place(
    url: Url = DEFAULT_URL,
    name: Annotated[str, typer.Option(help="what to be called", metavar="NAME")] = "alice",
    room: Room = None,
    id: Annotated[
        int | None, typer.Option(help="the (first) order number; else the next", metavar="N")
    ] = None,
    item: Annotated[
        str | None,
        typer.Option(
            help="from the menu; else one after another",
            metavar="NAME",
            autocompletion=lambda: list(MENU),
        ),
    ] = None,
    quantity: Annotated[int | None, typer.Option(help="1 to 100", metavar="N")] = None,
    note_: Annotated[str | None, typer.Option("--note", help="for Bob", metavar="TEXT")] = None,
    count: Annotated[int, typer.Option(min=1, help="how many orders", metavar="N")] = 1,
    invalid: Annotated[
        str, typer.Option(help="share that Bob must reject: 20%", metavar="SHARE")
    ] = "0%",
    rate: Annotated[
        float, typer.Option(min=0, help="orders a second; 0: no pause", metavar="N")
    ] = 20.0,
    wait: Annotated[
        float,
        typer.Option(
            min=0, help="without an answer before giving up; 0: do not wait", metavar="SECONDS"
        ),
    ] = 10.0,
    json: Json = False,
) -> None:
    """Be Alice: place orders, and show their answers as they come.

    \b
    orders place --item espresso --quantity 2
    orders place --count 50 --invalid 20%
    """
    from orders.cli.place import place_orders

    given = {"item": item, "quantity": quantity, "note": note_}
    work = place_orders(
        url,
        _room(room, url),
        name,
        first=id,
        count=count,
        invalid=invalid,
        rate=rate,
        wait=wait,
        given={key: value for key, value in given.items() if value is not None},
        json=json,
    )
    raise typer.Exit(run(work))


@app.command()
def tail(
    url: Url = DEFAULT_URL,
    room: Room = None,
    after: Annotated[
        str | None,
        typer.Option(help="begin after this event's id, or at the `start`", metavar="ID"),
    ] = None,
    type: Annotated[
        list[str] | None, typer.Option(help="only these: order_placed, order_*", metavar="TYPE")
    ] = None,
    all: Annotated[bool, typer.Option("--all", help="who came, went and got what, too")] = False,
    json: Json = False,
) -> None:
    """Follow a room's log, as an observer: nobody in the room notices.

    \b
    orders tail --after start
    orders tail --type order_rejected --json | jq .data.reason
    """
    from orders.cli.log import Tail

    following = Tail(url, _room(room, url), after=after, types=type or [], json=json, all=all)
    raise typer.Exit(_ended(run(following.follow())))


@app.command()
def export(
    url: Url = DEFAULT_URL,
    room: Room = None,
    format: Annotated[str, typer.Option(help="jsonl, csv, mermaid, html", metavar="FMT")] = "jsonl",
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="a file; else stdout", dir_okay=False, metavar="FILE"),
    ] = None,
    type: Annotated[str | None, typer.Option(help="only this type", metavar="TYPE")] = None,
    source: Annotated[str | None, typer.Option(help="only what they sent", metavar="NAME")] = None,
    names: Annotated[bool, typer.Option("--names", help="html: names, not letters")] = False,
) -> None:
    """Write a room's log: as JSON lines, CSV, a Mermaid diagram, or one page that replays it.

    Names in that page are the host's to give: with ORDERS_HOST_TOKEN, or on your own machine.

    \b
    orders export > log.jsonl
    orders export --format mermaid -o lesson.mmd
    orders export --format html -o lesson.html
    """
    from orders.cli.log import export_log

    asked = {"type": type, "source": source, "names": "true" if names else ""}
    query = {key: value for key, value in asked.items() if value}
    work = export_log(url, _room(room, url), format=format, to=output, query=query)
    raise typer.Exit(run(work))


@app.command()
def check(
    url: Url = DEFAULT_URL,
    room: Annotated[
        str | None,
        typer.Option(help="of an exercise that was begun; else begin one", metavar="NAME"),
    ] = None,
    session: Annotated[
        str | None, typer.Option(help="the secret that came with the room", metavar="TEXT")
    ] = None,
    stage: Annotated[int, typer.Option(min=1, max=12, help="up to which stage", metavar="N")] = 12,
    seed: Annotated[
        int | None, typer.Option(min=0, help="have the same orders again", metavar="N")
    ] = None,
    json: Json = False,
) -> None:
    """Have a program of yours checked, in any language: it joins the room that is named.

    Exit codes: 0 passed, 1 failed, 2 nobody can tell.

    \b
    orders check                      begins an exercise, and waits for your program
    orders check --room ex-4kd82mxa --session … --stage 7
    """
    from orders.cli.check import check_program

    work = check_program(url, room or understood(url).room, session, stage, seed, json=json)
    raise typer.Exit(run(work))


@app.command()
@with_settings
def doctor(settings: Settings, save: Save = None) -> None:
    """Say what would go wrong here, and what to do about it. Takes the flags of `serve`.

    \b
    orders doctor --lan
    orders doctor --journal class.db --save saved.db
    """
    from orders.cli.doctor import say_findings

    raise typer.Exit(say_findings(settings, save))


def _room(given: str | None, url: str) -> str:
    return given or understood(url).room or "main"


def _ended(code: int) -> int:
    """To be stopped is the proper end of what goes on until it is."""
    return 0 if code == 130 else code


def main() -> None:
    """Run the command; whatever cannot be done is one sentence on stderr and exit code 1."""
    have_streams()
    take_any_character()
    try:
        with written_out():
            app(prog_name="orders")
    except OrdersError as error:
        note(paint(error.message, "rejected", sys.stderr))
        sys.exit(1)
