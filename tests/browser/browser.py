"""The Chromium that is installed here, headless; a page that complains fails the test that opened it."""

import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, sync_playwright

from combinations import TEMPLATE
from missing import Missing

__all__ = ["Window", "chromium", "window"]

PROGRAMS = ("chromium", "chromium-browser", "google-chrome")
# Git ignores it; CI keeps it.
ARTEFACTS = TEMPLATE / "artefacts"
DESK, PHONE = {"width": 1000, "height": 800}, {"width": 360, "height": 740}
PATIENCE = 60_000


@contextmanager
def chromium() -> Iterator[Browser]:
    """Raises Missing."""
    program = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, PROGRAMS)), None)
    if program is None:
        raise Missing(
            f"no browser: none of {', '.join(PROGRAMS)} is installed. Install one, or set CHROMIUM to its path"
        )
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program)
        try:
            yield browser
        finally:
            browser.close()


@dataclass
class Window:
    """A person's browser. Each word of the console that is an error, and each exception, is a complaint."""

    context: BrowserContext
    folder: Path
    complaints: list[str] = field(default_factory=list)

    def open(self, url: str) -> Page:
        """In a new tab."""
        tab = self.context.new_page()
        tab.goto(url)
        return tab

    def watch(self, tab: Page) -> None:
        tab.set_default_timeout(PATIENCE)
        tab.on("console", self._hear)
        tab.on("pageerror", lambda error: self.complaints.append(f"{tab.url}: {error}"))

    def _hear(self, message: ConsoleMessage) -> None:
        if message.type == "error":
            self.complaints.append(f"{message.location['url']}: {message.text}")

    @contextmanager
    def forgiving(self, words: str) -> Iterator[None]:
        """Complaints with these words, in the block, are what is to be seen."""
        before = len(self.complaints)
        yield
        self.complaints[before:] = [each for each in self.complaints[before:] if words not in each]

    def photograph(self, tab: Page, name: str) -> None:
        """As it is in light, in the dark, and on a phone, where nothing may hang over the edge."""
        for kind, scheme, size in (("light", "light", DESK), ("dark", "dark", DESK), ("phone", "light", PHONE)):
            tab.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
            tab.set_viewport_size({"width": size["width"], "height": size["height"]})
            tab.screenshot(path=self.folder / f"{name}-{kind}.png", full_page=True)
            over = tab.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
            assert over == 0, f"{name}: {over} px hang over the edge at a width of {size['width']}"
        tab.set_viewport_size({"width": DESK["width"], "height": DESK["height"]})


@contextmanager
def window(browser: Browser, label: str) -> Iterator[Window]:
    """One that remembers nothing; its pictures go to `artefacts/<label>/`."""
    folder = ARTEFACTS / re.sub(r"\W+", "-", label)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    opened = Window(browser.new_context(), folder)
    opened.context.on("page", opened.watch)
    try:
        yield opened
    except BaseException:
        for number, tab in enumerate(opened.context.pages):
            tab.screenshot(path=folder / f"failed-{number}.png", full_page=True)
        print(*opened.complaints, sep="\n")
        raise
    finally:
        opened.context.close()
    assert not opened.complaints, "\n".join(opened.complaints)
