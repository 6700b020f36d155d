"""unit: pure code. contract: every engine keeps the same promises.

integration: real servers. browser: real pages in a real browser.
"""
