"""What the stage's sequence diagram says, to those who read it in a test."""

from playwright.async_api import Page

from tests.wire import until


async def rows(page: Page, kind: str | None = None) -> list[str]:
    """What the rows of the diagram say to those who hear them, oldest first."""
    which = f'[data-row="{kind}"]' if kind else ""
    labels = "rows => rows.map(row => row.getAttribute('aria-label'))"
    found: list[str] = await page.locator(f".diagram-body .row{which}").evaluate_all(labels)
    return found


async def says(page: Page, *wanted: str) -> None:
    """Wait until the newest rows of the diagram say this."""

    async def told() -> bool:
        return (await rows(page))[-len(wanted) :] == list(wanted)

    try:
        await until(told, "the diagram says it")
    except AssertionError:
        assert (await rows(page))[-len(wanted) :] == list(wanted)


async def has_row(page: Page, kind: str) -> bool:
    """Is there a row of this kind?"""
    return bool(await rows(page, kind))
