"""What people do on the pages, in a few words."""

from collections.abc import Mapping

from playwright.async_api import Locator, Page, expect


async def is_open(page: Page) -> Page:
    """Wait until the page is connected."""
    await page.wait_for_selector('body[data-connection="open"]')
    return page


async def place(page: Page, fields: Mapping[str, str | int] | None = None) -> None:
    """Fill in the customer's form as given, and send it."""
    for name, value in (fields or {}).items():
        field = page.locator(f'form [name="{name}"]')
        if name == "item":
            await field.select_option(str(value))
        else:
            await field.fill(str(value))
    await page.get_by_role("button", name="Place order").click()


def order(page: Page, key: str) -> Locator:
    """The order "alice/5", wherever it stands on the page."""
    return page.locator(f'[data-order="{key}"]')


async def stands(page: Page, key: str, state: str) -> None:
    """Wait until the order stands there, once, in this state."""
    await expect(order(page, key)).to_have_count(1)
    await expect(order(page, key)).to_have_attribute("data-state", state)


async def confirm(page: Page, key: str) -> None:
    await order(page, key).get_by_role("button", name="Confirm").click()


async def reject(page: Page, key: str) -> None:
    """Reject it with the reason that the page proposes."""
    await order(page, key).get_by_role("button", name="Reject").click()
    await order(page, key).get_by_role("button", name="Reject the order").click()
