"""The examiner: a process of its own, a client like any other, that holds the host's token.

It reads what it is to check from stdin, as one JSON object, and writes a verdict a line.
"""

import asyncio
import json
import sys
from collections.abc import Callable, Iterable
from typing import Any

import aiohttp
from yarl import URL

from orders.classroom.exam import Exam, Failed, Unknown
from orders.classroom.exercises import STAGES, Stage
from orders.clock import seeded
from orders.errors import OrdersError

Verdict = dict[str, Any]


async def examine(
    url: str,
    room: str,
    token: str,
    stages: Iterable[int],
    seed: int,
    say: Callable[[Verdict], None],
) -> None:
    """Judge these stages, in turn, until one is not passed."""
    for one in (STAGES[number - 1] for number in stages):
        async with aiohttp.ClientSession() as http:
            exam = Exam(http, URL(url), room, token, seeded(seed * 100 + one.number))
            verdict = {"stage": one.number, "seed": seed, **await _judge(exam, one)}
        say(verdict)
        if verdict["verdict"] != "passed":
            return


async def _judge(exam: Exam, stage: Stage) -> Verdict:
    try:
        async with exam.open():
            await stage.judge(exam)
    except Failed as failed:
        return {"verdict": "failed", "failure": failed.lines, "event": failed.event}
    except Unknown as unknown:
        return {"verdict": "unknown", "reason": str(unknown)}
    except (OrdersError, aiohttp.ClientError, TimeoutError) as error:
        return {"verdict": "unknown", "reason": f"The examiner could not go on: {error!r:.200}."}
    return {"verdict": "passed"}


def main() -> None:
    """One check, as the server asked for it."""
    asyncio.run(examine(**json.loads(sys.stdin.readline()), say=_say))


def _say(verdict: Verdict) -> None:
    print(json.dumps(verdict), flush=True)


if __name__ == "__main__":
    main()
