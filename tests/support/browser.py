"""A real browser without JavaScript, as a careful agency sets it: Debian's Chromium by playwright.

A page remembers what the browser complained of (`complaints`: blocked by the content policy, not
loaded, thrown) and every address that it asked for (`asked`). The browser lives as long as one
test: playwright's loop would be in the way of other tests' loops.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, Request, sync_playwright

from tests.support.programs import needs, program

CHROMIUM = needs("chromium")
"""A mark that skips where the browser is missing."""


@dataclass
class Tab:
    """A page in a window of its own, and what came of it."""

    page: Page
    asked: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.page.on("request", self._request)
        self.page.on("console", self._console)
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("requestfailed", lambda request: self.complaints.append(f"not loaded: {request.url}"))

    def _request(self, request: Request) -> None:
        self.asked.append(request.url)

    def _console(self, message: ConsoleMessage) -> None:
        # A form that is refused answers 403 or 422, which Chromium calls an error.
        if message.type == "error" and "the server responded with a status of 4" not in message.text:
            self.complaints.append(message.text)

    def fill(self, **fields: str) -> None:
        """Type into the fields of these names."""
        for name, text in fields.items():
            self.page.fill(f"#{name}", text)

    def press(self, button: str) -> None:
        """Press the button of this name, and wait for the page that follows."""
        with self.page.expect_navigation():
            self.page.get_by_role("button", name=button, exact=True).click()

    def follow(self, link: str) -> None:
        """Follow the link of this name."""
        with self.page.expect_navigation():
            self.page.get_by_role("link", name=link, exact=True).click()

    @property
    def text(self) -> str:
        """What can be read on it."""
        return self.page.inner_text("body")


@contextmanager
def running_chromium() -> Iterator[Browser]:
    """The browser, without a window."""
    sandbox = [] if os.geteuid() else ["--no-sandbox"]  # root has no sandbox in Chromium
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program("chromium"), args=sandbox)
        try:
            yield browser
        finally:
            browser.close()


@contextmanager
def open_tab(browser: Browser, locale: str = "vi-VN", *, scripts: bool = False) -> Iterator[Tab]:
    """An empty tab with cookies of its own; `locale` is what Accept-Language says."""
    context = browser.new_context(locale=locale, java_script_enabled=scripts)
    try:
        yield Tab(context.new_page())
    finally:
        context.close()


@pytest.fixture
def chromium() -> Iterator[Browser]:
    """The browser for one test."""
    with running_chromium() as browser:
        yield browser


@pytest.fixture
def tab(chromium: Browser) -> Iterator[Tab]:
    """An empty tab of a browser in Vietnamese, without JavaScript."""
    with open_tab(chromium) as opened:
        yield opened
