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
    )
    from orders.classroom.takehome import download

    faults.install(app)
    questions_api.install(app)
    exercise_api.install(app)
    starters.install(app)
    playing.install(app)
    download.install(app)
