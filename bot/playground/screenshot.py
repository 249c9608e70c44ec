"""``python -m bot.playground.screenshot``: a short real visit, and the chat page as a picture for the README.

The bot runs with the bundled base and the ready-made style. Needs Chromium, its driver, and selenium, which the tests
need, too.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import shutil
import sys
import tempfile
from pathlib import Path

from bot import config
from bot.playground.person import Person
from bot.playground.run import bot_process, say
from bot.playground.server import serve

ROOT = Path(__file__).parents[2]
PROMPTS = ("a cat wearing sunglasses --seed 9", "a bear riding a bicycle --seed 11")
SIZE = (1200, 850)  # px
DRAW_SECONDS = 300.0
PAGE_SECONDS = 30.0
# The log is at its end, and the day that would cover a message has faded away.
NO_DAY = """
    const covering = [...document.querySelectorAll(".day.over span")];
    return covering.length > 0 && covering.every(one => getComputedStyle(one).opacity === "0");
"""
BROWSERS = ("chromium", "chromium-browser", "google-chrome")


def main() -> int:
    """The exit code: 0 the picture is written, 1 there is no browser or driver."""
    parser = argparse.ArgumentParser(prog="python -m bot.playground.screenshot")
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "chat.png")
    out = parser.parse_args().out.resolve()
    browser, driver = next(filter(None, map(shutil.which, BROWSERS)), None), shutil.which("chromedriver")
    if browser is None or driver is None:
        sys.stderr.write(f"chromedriver and one of these must be installed: {', '.join(BROWSERS)}\n")
        return 1
    asyncio.run(_visit(browser, driver, out))
    return 0


async def _visit(browser: str, driver: str, out: Path) -> None:
    settings = config.load(None)
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        home = Path(folder)
        (home / "bot").mkdir()
        async with (
            serve(home / "telegram") as playground,
            bot_process(playground, settings, home, quiet=True),
            Person.join(playground.address, "Ada") as ada,
        ):
            await _draw(ada)
            address = f"{playground.address}/?person={ada.id}"
            await asyncio.to_thread(shoot, browser, driver, address, out, home / "browser")
    say(f"The picture is {out}")


async def _draw(ada: Person) -> None:
    """Draw each prompt in the ready-made style, and put the stickers into a pack."""
    await ada.send("/start")
    await ada.wait_for(timeout=DRAW_SECONDS)
    for number, prompt in enumerate(PROMPTS, start=1):
        await ada.send(f"/sticker {prompt}")
        sticker = await ada.wait_for(lambda one: one.button("add:") is not None, timeout=DRAW_SECONDS)
        say(f"{prompt} is drawn")
        await ada.press(sticker, "add:")
        while sum(len(pack["stickers"]) for pack in await ada.packs()) < number:
            await ada.read(5.0)
    await ada.read(2.0)


def shoot(browser: str, driver: str, address: str, out: Path, profile: Path) -> None:
    """Write the page at ``address`` as a PNG of ``SIZE``, once it shows all stickers of the visit."""
    from selenium.webdriver import Chrome, ChromeOptions
    from selenium.webdriver.chrome.service import Service
    from selenium.webdriver.common.by import By
    from selenium.webdriver.support.ui import WebDriverWait

    options = ChromeOptions()
    options.binary_location = browser
    flags = [
        "--headless=new",
        "--disable-gpu",
        "--hide-scrollbars",
        "--lang=en",
        f"--user-data-dir={profile}",
    ]
    flags += ["--no-sandbox"] if os.geteuid() == 0 else []  # Chromium refuses to run as root with it
    for flag in flags:
        options.add_argument(flag)
    chrome = Chrome(options=options, service=Service(driver))
    try:
        # A window's size has its frame in it.
        whole = {"width": SIZE[0], "height": SIZE[1], "deviceScaleFactor": 1, "mobile": False}
        chrome.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", whole)
        chrome.get(address)
        loaded = "return [...document.images].filter(one => one.complete && one.naturalWidth > 0).length"
        wait = WebDriverWait(chrome, PAGE_SECONDS)
        wait.until(lambda page: page.execute_script(loaded) >= 2 * len(PROMPTS))
        wait.until(lambda page: "/start" in page.find_element(By.TAG_NAME, "body").text)
        wait.until(lambda page: page.execute_script(NO_DAY))
        chrome.save_screenshot(str(out))
    finally:
        chrome.quit()


if __name__ == "__main__":
    sys.exit(main())
