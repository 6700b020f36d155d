"""What can be ordered: the one place that says so."""

#: The names an order's `item` may have, as they stand on the wire and on the pages.
MENU: tuple[str, ...] = (
    "espresso",
    "cappuccino",
    "hot chocolate",
    "mint tea",
    "lemonade",
    "croissant",
    "cheese sandwich",
    "tomato soup",
    "apple pie",
    "blueberry muffin",
)
