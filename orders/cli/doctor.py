"""`orders doctor`: what would go wrong, as lines of a terminal."""

from pathlib import Path

from orders.cli.output import paint, say
from orders.cli.progress import progress
from orders.doctor import examine, save_intact
from orders.settings import Settings

MARKS = {"ok": ("ok", "confirmed"), "hint": ("!", "muted"), "problem": ("NO", "rejected")}


def say_findings(settings: Settings, save: Path | None) -> int:
    """Say each finding, and what to do about it; 1 if one of them is a problem, else 0.

    With a file to `save` to, write what is intact of the journal to it, and say so.
    """
    if save is not None:
        with progress("looking at the journal") as tell:
            saved = save_intact(settings, save, tell)
        say(saved)
        return 0
    with progress("looking") as tell:
        findings = examine(settings, tell)
    for finding in findings:
        mark, colour = MARKS[finding.state]
        say(f"{paint(f'{mark:<2}', colour)}  {finding.what}")
        if finding.advice:
            say(f"    {finding.advice}")
    return 1 if any(finding.state == "problem" for finding in findings) else 0
