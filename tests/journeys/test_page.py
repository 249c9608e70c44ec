"""The playground's page in a real browser: write, send a picture, press a button, see a sticker in the pack."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from selenium.webdriver import Chrome, ChromeOptions
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

from bot.playground import Playground
from tests.journeys.bot_process import BotProcess
from tests.journeys.visitor import picture
from tests.waiting import Patience, cpu_seconds, until

CHROMIUM, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")
WIDE, PHONE = (1200, 850), (390, 844)  # px
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)

pytestmark = pytest.mark.skipif(
    not (CHROMIUM and DRIVER),
    reason="no chromium and chromedriver here; on Debian: apt-get install chromium chromium-driver",
)


@pytest.fixture
def browser(tmp_path: Path) -> Iterator[Chrome]:
    """A browser that has never been used."""
    options = ChromeOptions()
    options.binary_location = str(CHROMIUM)
    for flag in (*FLAGS, f"--user-data-dir={tmp_path / 'browser'}", "--lang=en"):
        options.add_argument(flag)
    driver = Chrome(options=options, service=Service(str(DRIVER)))
    try:
        yield driver
    finally:
        driver.quit()


class Reader:
    """What somebody does who sits in front of the page. Blocks: run it in a thread."""

    def __init__(self, browser: Chrome, shots: Path) -> None:
        self._browser = browser
        self._shots = shots

    def write(self, text: str) -> None:
        """Type into the line and press Enter; a command's menu must not get in the way."""
        line = self._browser.find_element(By.ID, "text")
        line.send_keys(text, Keys.ENTER)

    def read(self, text: str) -> None:
        """Wait until the log shows ``text``."""
        self.wait(f"//*[@id='log']//*[contains(@class, 'theirs')][contains(., \"{text}\")]")

    def wait(self, xpath: str) -> None:
        """Wait until an element is seen."""

        def seen() -> bool:
            return any(one.is_displayed() for one in self._browser.find_elements(By.XPATH, xpath))

        until(seen, Patience(cpu_seconds(), said=lambda: xpath))

    def click(self, xpath: str) -> None:
        """Click the last such element as soon as it is there."""
        self.wait(xpath)
        self._browser.find_elements(By.XPATH, xpath)[-1].click()

    def _shoot_all(self, name: str) -> None:
        for theme in ("light", "dark"):
            self._browser.execute_script("document.documentElement.dataset.theme = arguments[0]", theme)
            self._shoot(f"{name}-wide-{theme}", *WIDE)
            self._shoot(f"{name}-phone-{theme}", *PHONE)

    def _shoot(self, name: str, width: int, height: int) -> None:
        """A picture of the page at a size, which it must not be wider than."""
        self._browser.execute_cdp_cmd(
            "Emulation.setDeviceMetricsOverride",
            {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False},
        )
        wide = self._browser.execute_script("return document.documentElement.scrollWidth")
        assert wide <= width, f"the page is {wide} px wide on {width}"
        self._browser.save_screenshot(str(self._shots / f"{name}.png"))

    def visit(self, address: str, file: Path) -> None:
        """Join, greet, send a picture, draw, add the sticker to the pack."""
        self._browser.set_window_size(*WIDE)
        self._browser.get(address)
        self.wait("//*[@id='joining-name']")
        self._browser.find_element(By.ID, "joining-name").send_keys("Ada", Keys.ENTER)
        self.click("//*[@id='start']")
        self.read("Begin with /new")
        self.write("/new zuvix")
        self.read("zuvix is open")
        self._browser.find_element(By.ID, "files").send_keys(str(file))
        self.click("//*[@id='sending']//span[text()='File']")
        self._browser.find_element(By.CSS_SELECTOR, "#previews input").send_keys("a red ball")
        self.click("//*[@id='sending-go']")
        self.read("Picture 1: zuvix a red ball")
        self.write("/sticker a fox --n 1")
        self.click("//button[contains(@class, 'key')][contains(., 'Add to pack')]")
        self.read("1 sticker added")
        self.wait("//*[@id='shelf']//img")
        seen = "return [...document.querySelectorAll('img.sticker')].every(i => i.complete && i.naturalWidth)"
        assert self._browser.execute_script(seen), "the sticker is not shown"

    def look(self, file: Path) -> None:
        """Everything that the page can show, in both themes, wide and narrow."""
        self._shoot_all("chat")
        self.click("//*[@id='packs-toggle']")
        self._shoot("packs-phone-dark", *PHONE)
        self.click("//*[@id='packs-close']")
        line = self._browser.find_element(By.ID, "text")
        line.send_keys("/")
        self.wait("//*[@id='menu']/li")
        self._shoot_all("menu")
        line.send_keys(Keys.ESCAPE, Keys.BACKSPACE)
        self._browser.find_element(By.ID, "files").send_keys(str(file))
        self._shoot_all("sending")
        self._browser.find_element(By.ID, "sending-cancel").click()
        self.click("//*[@id='log']//img[contains(@class, 'sticker')]")
        self._shoot_all("viewer")
        self._browser.find_element(By.ID, "viewer").click()


async def test_the_page(bot: BotProcess, playground: Playground, browser: Chrome, tmp_path: Path) -> None:
    """A whole visit by mouse and keyboard; the page fits its window, and the browser has nothing to complain of."""
    file = tmp_path / "ball.png"
    file.write_bytes(picture(1))
    reader = Reader(browser, tmp_path)
    await asyncio.to_thread(reader.visit, playground.address, file)
    await asyncio.to_thread(reader.look, file)
    complaints = [line for line in browser.get_log("browser") if line["level"] == "SEVERE"]
    assert complaints == []
