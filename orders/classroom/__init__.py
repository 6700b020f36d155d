"""What is for a class alone. Nothing below imports it, and all else works without this folder."""

from aiohttp import web


def install(app: web.Application) -> None:
    """Add it to an application that does not run yet."""
    from orders.classroom import playing

    playing.install(app)
