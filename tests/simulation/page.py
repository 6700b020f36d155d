"""One HTML file with the whole history of a simulation, and what it shows to be broken."""

import html
import json
from collections.abc import Sequence

from tests.simulation.history import Fact, History
from tests.simulation.plan import Act

HIDDEN = ("at", "who", "what")
STYLE = """
:root { color-scheme: light dark; font: 15px/1.45 system-ui, sans-serif; }
body { margin: 2rem auto; max-width: 80rem; padding: 0 1rem; }
h1 { font-size: 1.4rem; } h2 { font-size: 1.1rem; margin-top: 2rem; }
.broken { border-left: 4px solid crimson; padding: .4rem .8rem; margin: .3rem 0; }
pre, code, td { font-family: ui-monospace, monospace; font-size: 13px; }
pre { overflow-x: auto; } table { border-collapse: collapse; width: 100%; }
td { vertical-align: top; padding: .1rem .6rem .1rem 0; white-space: nowrap; }
td:first-child { text-align: right; }
td:last-child { white-space: normal; overflow-wrap: anywhere; width: 99%; }
tr.plan td, tr.server td, tr.host td { font-weight: 600; }
tr.plan { background: color-mix(in srgb, orange 25%, transparent); }
tr.disk, tr.server { background: color-mix(in srgb, crimson 20%, transparent); }
tr.host { background: color-mix(in srgb, royalblue 18%, transparent); }
tr.named { outline: 2px solid crimson; } tr.hidden { display: none; }
label { margin-right: .8rem; white-space: nowrap; }
"""
SCRIPT = """
const boxes = [...document.querySelectorAll('input')];
const show = () => {
  const off = new Set(boxes.filter((box) => !box.checked).map((box) => box.name));
  for (const row of document.querySelectorAll('tbody tr'))
    row.classList.toggle('hidden', off.has(row.dataset.who));
};
for (const box of boxes) box.addEventListener('change', show);
"""


def page(
    seed: int, replay: str, acts: Sequence[Act], history: History, broken: Sequence[str]
) -> str:
    """The page; rows about an event that a broken promise names are marked."""
    named = {word.strip(",:.") for sentence in broken for word in sentence.split()}
    people = list(dict.fromkeys(fact["who"] for fact in history.facts))
    boxes = "".join(
        f'<label><input type="checkbox" checked name="{who}"> {who}</label>'
        for who in map(html.escape, people)
    )
    failures = "".join(f'<pre class="broken">{html.escape(one)}</pre>' for one in broken)
    facts = "".join(_row(fact, named) for fact in history.facts)
    return f"""<!doctype html>
<html lang="en"><meta charset="utf-8"><title>Seed {seed}</title><style>{STYLE}</style>
<h1>Seed {seed}</h1>
<p>Again: <code>{html.escape(replay)}</code></p>
<h2>What is broken</h2>{failures or "<p>Nothing.</p>"}
<h2>The plan</h2><pre>{html.escape(chr(10).join(map(str, acts)))}</pre>
<h2>What happened</h2><p>{boxes}</p>
<table><tbody>{facts}</tbody></table>
<h2>What the journal has</h2>{_journal(history, named)}
<script>{SCRIPT}</script></html>
"""


def _row(fact: Fact, named: set[str]) -> str:
    rest = {key: value for key, value in fact.items() if key not in HIDDEN}
    text = fact["text"] if "text" in fact else json.dumps(rest, ensure_ascii=False)
    marked = " named" if fact.get("event") in named else ""
    who, what = html.escape(fact["who"]), html.escape(fact["what"])
    return (
        f'<tr class="{who}{marked}" data-who="{who}"><td>{fact["at"]:.3f}</td><td>{who}</td>'
        f"<td>{what}</td><td>{html.escape(text)}</td></tr>\n"
    )


def _journal(history: History, named: set[str]) -> str:
    parts = []
    for room, epochs in history.journal.items():
        for number, epoch in enumerate(epochs, 1):
            rows = "".join(
                f'<tr class="{"named" if record["event"] in named else ""}">'
                f"<td>{record['position']}</td><td>{html.escape(record['kind'])}</td>"
                f"<td>{record['event'] or ''}</td><td>{html.escape(_said(record))}</td></tr>\n"
                for record in epoch
            )
            parts.append(
                f"<details><summary>{html.escape(room)}, epoch {number}: {len(epoch)} records"
                f"</summary><table><tbody>{rows}</tbody></table></details>"
            )
    return "".join(parts)


def _said(record: Fact) -> str:
    return f"{record['mode']} {json.dumps(record.get('body') or record.get('data'))}".strip()
