"""What is for a class alone. Nothing below imports it, and all else works without this folder."""

from aiohttp import web


def install(app: web.Application) -> None:
    """Add it to an application that does not run yet."""
    from orders.classroom import (  # the examiner needs nothing of the server
        exercise_api,
        faults,
        playing,
        questions_api,
        starters,
        wire,
    )
    from orders.classroom.takehome import download

    for part in (faults, questions_api, exercise_api, starters, playing, wire, download):
        part.install(app)
