"""`orders doctor`: what would go wrong, as lines of a terminal."""

from pathlib import Path

from orders.cli.output import paint, say
from orders.doctor import examine, save_intact
from orders.settings import Settings

MARKS = {"ok": ("ok", "confirmed"), "hint": ("!", "muted"), "problem": ("NO", "rejected")}


def say_findings(settings: Settings, save: Path | None) -> int:
    """Say each finding, and what to do about it; 1 if one of them is a problem, else 0.

    With a file to `save` to, write what is intact of the journal to it, and say so.
    """
    if save is not None:
        say(save_intact(settings, save))
        return 0
    findings = examine(settings)
    for finding in findings:
        mark, colour = MARKS[finding.state]
        say(f"{paint(f'{mark:<2}', colour)}  {finding.what}")
        if finding.advice:
            say(f"    {finding.advice}")
    return 1 if any(finding.state == "problem" for finding in findings) else 0
