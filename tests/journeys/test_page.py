"""The playground's page in a real browser: write, send a picture, press a button, see a sticker in the pack."""

from __future__ import annotations

import asyncio
import base64
import json
import shutil
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import httpx
import pytest
from PIL import Image
from selenium.common.exceptions import StaleElementReferenceException
from selenium.webdriver import ActionChains, Chrome, ChromeOptions
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import Select

from bot.playground import Person, Picture, Playground
from bot.playground.screenshot import SIZE, shoot
from bot.playground.server import PAGE
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
# The words of buttons that stand on several lines, and the buttons that stick out of their row.
BROKEN_WORDS = r"""
return [...document.querySelectorAll(".key")].flatMap(key => {
  const found = [], text = key.firstChild, range = document.createRange();
  for (const word of text.data.matchAll(/\S+/g)) {
    range.setStart(text, word.index);
    range.setEnd(text, word.index + word[0].length);
    if (new Set([...range.getClientRects()].map(box => box.top)).size > 1) found.push(word[0]);
  }
  if (key.getBoundingClientRect().right > key.closest(".keyboard").parentElement.getBoundingClientRect().right)
    found.push(key.textContent);
  return found;
});
"""


@pytest.fixture
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chrome]:
    """A browser of its own for each test: the size of its window and what it remembers are of no other."""
    options = ChromeOptions()
    options.binary_location = str(CHROMIUM)
    for flag in (*FLAGS, f"--user-data-dir={tmp_path_factory.mktemp('browser')}", "--lang=en"):
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

    def write_keys(self, *keys: str) -> None:
        """Type into the line without Enter."""
        self._browser.find_element(By.ID, "text").send_keys(*keys)

    def read(self, text: str) -> None:
        """Wait until the log shows ``text``."""
        self.wait(f"//*[@id='log']//*[contains(@class, 'theirs')][contains(., \"{text}\")]")

    def wait(self, xpath: str) -> None:
        """Wait until an element is seen."""

        def seen() -> bool:
            with suppress(StaleElementReferenceException):  # drawn anew meanwhile
                return any(one.is_displayed() for one in self._browser.find_elements(By.XPATH, xpath))
            return False

        until(seen, Patience(cpu_seconds(), said=lambda: xpath))

    def click(self, xpath: str) -> None:
        """Click the last such element as soon as it is there."""
        self.wait(xpath)
        self._browser.find_elements(By.XPATH, xpath)[-1].click()

    def keys(self, *keys: str) -> None:
        """Press keys wherever the focus is; one of them held down is the first."""
        chain = ActionChains(self._browser)
        for key in keys[:-1]:
            chain.key_down(key)
        chain.send_keys(keys[-1])
        for key in keys[:-1]:
            chain.key_up(key)
        chain.perform()

    def focused(self) -> str:
        """The id of what has the focus."""
        return str(self._browser.execute_script("return document.activeElement.id"))

    def choose(self, select: str, label: str) -> None:
        """Choose an option of a list."""
        self.wait(f"//*[@id='{select}']/option[contains(., '{label}')]")
        Select(self._browser.find_element(By.ID, select)).select_by_visible_text(label)

    def shoot_all(self, name: str) -> None:
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
        found = "return [...document.querySelectorAll('body *')].filter(e => %s).map(e => e.id || e.tagName)"
        outside = self._browser.execute_script(found % "e.getBoundingClientRect().right > innerWidth")
        assert wide <= width, f"the page is {wide} px wide on {width}: {outside[:5]}"
        self._browser.save_screenshot(str(self._shots / f"{name}.png"))

    def open(self, address: str) -> None:
        """The page at its wide size."""
        self._browser.set_window_size(*WIDE)
        self._browser.get(address)

    def visit(self, address: str, file: Path) -> None:
        """Join, greet, send a picture, draw, add the sticker to the pack."""
        self.open(address)
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
        self.shoot_all("chat")
        self.click("//*[@id='packs-toggle']")
        self._shoot("packs-phone-dark", *PHONE)
        self.click("//*[@id='packs-close']")
        line = self._browser.find_element(By.ID, "text")
        line.send_keys("/")
        self.wait("//*[@id='menu']/li")
        self.shoot_all("menu")
        line.send_keys(Keys.ESCAPE, Keys.BACKSPACE)
        self._browser.find_element(By.ID, "files").send_keys(str(file))
        self.shoot_all("sending")
        self._browser.find_element(By.ID, "sending-cancel").click()
        self.click("//*[@id='log']//img[contains(@class, 'sticker')]")
        self.shoot_all("viewer")
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


async def test_what_only_the_page_can_do(playground: Playground, browser: Chrome, tmp_path: Path) -> None:
    """Packs, groups, inline results, edits and the other language, by keyboard; here the test is the bot."""
    sent = [Picture(data=picture(number), emoji=emoji) for number, emoji in enumerate("🦊🚗🏠", start=1)]
    async with (
        Person.join(playground.address, "Ada", language_code="en") as ada,
        Person.join(playground.address, "Boris", language_code="ru") as boris,
    ):
        await ada.publish("ada_pack", "Ada's pack", sent)
        group = await ada.group("Friends", boris)
        await ada.send("hello")
        reader = Reader(browser, tmp_path)
        await asyncio.to_thread(reader.open, f"{playground.address}/?person={ada.id}")
        await asyncio.to_thread(_edit, reader)
        assert [message["text"] for message in playground.world.messages(ada.id)] == ["hello there"]
        await asyncio.to_thread(_move, reader)
        assert await _emoji(ada) == ["🚗", "🏠", "🦊"]
        await asyncio.to_thread(_remove, reader)
        assert await _emoji(ada) == ["🚗", "🏠"]
        await asyncio.to_thread(reader.write_keys, "@playground_bot fox")
        await _offer(playground)
        await asyncio.to_thread(_choose, reader)
        assert playground.world.messages(ada.id)[-1]["via_bot"]["username"] == "playground_bot"
        playground.world.say(group, {"text": "A word to all 🎉"}, from_bot=True)
        playground.world.say(group, {"text": "Привет!"}, from_bot=False, author=boris.id)
        await asyncio.to_thread(_group, reader)
        await asyncio.to_thread(_boris, reader)
        assert playground.world.people.user(boris.id)["language_code"] == "en"
    complaints = [line for line in browser.get_log("browser") if line["level"] == "SEVERE"]
    assert complaints == []


def test_the_readmes_picture_waits_until_no_day_covers_it(tmp_path: Path) -> None:
    """The page scrolls to the end after its stickers are there, and the day that it shows meanwhile fades slowly."""
    ball = base64.b64encode(picture(1)).decode()
    page = tmp_path / "page.html"
    page.write_text(
        f"""<style>
            span {{ background: black; position: absolute; left: 0; top: 0 }}
            .over span {{ opacity: 0; transition: opacity .6s }}
            .scrolling .over span {{ opacity: 1 }}
        </style>
        /start {f'<img src="data:image/png;base64,{ball}">' * 4}
        <div id="log"><div id="day" class="day"><span>November 27</span></div></div>
        <script>
            const log = document.getElementById("log").classList, day = document.getElementById("day").classList;
            setTimeout(() => {{ log.add("scrolling"); day.add("over"); }}, 700);
            setTimeout(() => log.remove("scrolling"), 1600);
        </script>"""
    )
    shoot(str(CHROMIUM), str(DRIVER), page.as_uri(), tmp_path / "page.png", tmp_path / "browser")
    with Image.open(tmp_path / "page.png") as shot:
        assert shot.size == SIZE
        assert shot.convert("L").getpixel((4, 4)) == 255


def _edit(reader: Reader) -> None:
    """ArrowUp in the empty line edits the last message; the bar above the line says so."""
    reader.wait("//*[@class='message mine']")
    reader.write_keys(Keys.ARROW_UP)
    reader.wait("//*[@id='replying-name'][.='Edit message']")
    reader.write(" there")
    reader.wait("//*[contains(@class, 'mine')]//*[contains(@class, 'stamp')][contains(., 'edited')]")


def _move(reader: Reader) -> None:
    """The first sticker goes to the end by Shift and arrow."""
    reader.click("//*[@id='shelf']//button[@class='title']")
    reader.wait("//*[@id='pack-grid']/button")
    for place in (2, 3):
        reader.keys(Keys.SHIFT, Keys.ARROW_RIGHT)
        reader.wait(f"//*[@id='pack-grid']/button[{place}][contains(., '🦊')][@aria-pressed='true']")
    reader.shoot_all("pack")


def _remove(reader: Reader) -> None:
    reader.keys(Keys.DELETE)
    reader.wait("//*[@id='pack-grid'][count(button)=2]")
    reader.keys(Keys.ESCAPE)


async def _offer(playground: Playground) -> None:
    """Answer the inline query as a bot does, with the stickers of the pack."""
    stickers = playground.world.sets.json("ada_pack")["stickers"]
    results = [
        {"type": "sticker", "id": str(number), "sticker_file_id": sticker["file_id"]}
        for number, sticker in enumerate(stickers)
    ]
    async with httpx.AsyncClient(base_url=f"{playground.api_url}{playground.token}", timeout=60.0) as bot:
        offset = 0
        patience = Patience()
        while True:
            patience.check()
            answer = await bot.post("/getUpdates", data={"offset": str(offset), "timeout": "5"})
            for update in answer.json()["result"]:
                offset = update["update_id"] + 1
                if "inline_query" in update:
                    fields = {"inline_query_id": update["inline_query"]["id"], "results": json.dumps(results)}
                    assert (await bot.post("/answerInlineQuery", data=fields)).json()["ok"]
                    return


def _choose(reader: Reader) -> None:
    """Results have come for the words that were typed; Enter sends the one that is marked."""
    reader.wait("//*[@id='offer-grid']/button[2]")
    reader.shoot_all("inline")
    reader.write_keys(Keys.ARROW_RIGHT, Keys.ENTER)
    reader.wait("//*[contains(@class, 'author')][contains(., '@playground_bot')]")


def _group(reader: Reader) -> None:
    """The group shows who has written."""
    reader.choose("chats", "● Friends")
    reader.wait("//*[contains(@class, 'author')][contains(., 'Boris')]")
    reader.write("/sticker a fox")
    reader.wait("//*[contains(@class, 'mine')][contains(., '/sticker a fox')]")
    reader.shoot_all("group")


def _boris(reader: Reader) -> None:
    """Another person's page is in the language of that person, until it is changed."""
    reader.choose("people", "Boris")
    reader.wait("//*[@id='text'][@placeholder='Сообщение']")
    reader.shoot_all("russian")
    reader.click("//*[@id='more-open']")
    reader.wait("//*[@id='more-publish'][.='Опубликовать набор…']")
    reader.shoot_all("more-russian")
    reader.choose("more-language", "English")
    reader.wait("//*[@id='more-publish'][.='Publish a pack…']")
    reader.keys(Keys.ESCAPE)
    assert reader.focused() == "more-open"


async def _emoji(person: Person) -> list[str]:
    (pack,) = await person.packs()
    return [one["emoji"] for one in pack["stickers"]]


def test_buttons_break_no_words_on_a_narrow_screen(browser: Chrome, tmp_path: Path) -> None:
    """Rows of the longest Russian labels, as wide as a message on 320 px: buttons go to the next line instead."""
    rows = (
        ("свободнее · 4", "как обычно · 5", "точнее · 7"),
        ("🔁 Ещё раз", "✨ Похожий", "✏️ Другие слова"),
        ("меньше стиля · 0,7", "как выучен · 1", "больше стиля · 1,3"),
    )
    keys = ("".join(f"<button class=key>{label}</button>" for label in row) for row in rows)
    shown = "".join(f"<div class=row>{row}</div>" for row in keys)
    page = tmp_path / "keys.html"
    page.write_text(
        f"<meta charset=utf-8><style>{(PAGE / 'style.css').read_text(encoding='utf-8')}</style>"
        f"<div style='width: 256px'><div class=keyboard>{shown}</div></div>",
        encoding="utf-8",
    )
    size = {"width": 320, "height": 640, "deviceScaleFactor": 1, "mobile": False}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    browser.get(page.as_uri())
    broken = browser.execute_script(BROKEN_WORDS)
    browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
    assert broken == []
