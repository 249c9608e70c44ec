"""A person's own language: what the bot says, what is drawn, and what stays in the database."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest

from bot.english import English, in_english, nothing_known
from bot.playground import Fault, Person, Picture
from bot.tables import jobs, people, samples
from lora.data.captions import normalise
from tests.bot.conftest import Running, Stage
from tests.bot.fake_engine import picture, sticker

CAPTIONS = {
    "рыжая лиса машет лапой": "zuvix an orange fox waving a paw",
    "грустная пицца": "zuvix a sad pizza",
    "кот-космонавт": "zuvix a cat astronaut",
    "ёжик в тумане": "zuvix a hedgehog in fog",
}
# Latin words that a Russian may read from the bot: commands and options, names of formats, the keyword, English drawn.
LATIN = re.compile(r"[A-Za-z]{2,}")
KNOWN_LATIN = re.compile(
    r"/[a-z]+|--[a-z]+( none)?|#ff8800|@\w+|Telegram|PNG|WebP|JPEG|CFG|zuvix( [a-z, ]+)?|remove|seed|Лиза|"
    r"a fox drinking coffee|stickers_\w+|(?<=\()\d+ x \d+"
)


@pytest.fixture
async def liza(stage: Stage) -> AsyncIterator[Person]:
    """Somebody whose Telegram is Russian."""
    async with Person.join(stage.playground.address, "Лиза", language_code="ru") as person:
        yield person


@asynccontextmanager
async def styled(stage: Stage, person: Person) -> AsyncIterator[Running]:
    """A bot, and the person in a new style."""
    async with stage.bot() as running:
        await person.send("/new zuvix")
        await person.wait_for("zuvix")
        yield running


def spoken(person: Person) -> list[str]:
    """All that the bot has said to the person, its buttons and notices included."""
    said = [message.text for message in person.messages if message.from_bot]
    labels = [button.label for message in person.messages for button in message.buttons]
    return [*said, *labels, *person.notices]


async def test_a_whole_visit_in_russian(stage: Stage, liza: Person) -> None:
    """From /start to a pack: no English but what is drawn with, and every count in its form."""
    async with styled(stage, liza) as running:
        await liza.send("/start")
        await liza.wait_for("С возвращением, Лиза!")
        await liza.send("/help")
        await liza.wait_for("/sticker лиса пьёт кофе")
        await liza.send("/train")
        await liza.wait_for("0 картинок мне мало, чтобы научиться: нужно хотя бы 5")
        items = list(CAPTIONS)
        await liza.send_picture(picture(128, 100, 0), caption=items[0], as_="document")
        told = await liza.wait_for(
            "Картинка 1: zuvix an orange fox waving a paw (это «рыжая лиса машет лапой»)"
        )
        assert "1 новая картинка, всего 1" in told.text
        assert "Ещё 4 картинки — и можно /train" in told.text
        await liza.album([Picture(data=picture(128, 100, n), as_="document") for n in (1, 2)])
        await liza.wait_for("Что на картинке 3? Просто напиши.")
        await liza.send("/train")
        await liza.wait_for("3 картинок мне мало")
        await liza.send("грустная пицца\nкот-космонавт")
        await liza.wait_for("Картинка 3: zuvix a cat astronaut (это «кот-космонавт»)")
        sent = await liza.send_picture(sticker(3), as_="sticker", emoji="🦔")
        await liza.wait_for("по её эмодзи: zuvix hedgehog")
        await liza.send("ёжик в тумане", reply_to=sent)
        await liza.wait_for("Картинка 4: zuvix a hedgehog in fog")
        await liza.send_picture(picture(128, 100, 4), as_="document")
        await liza.wait_for("Что на картинке 5?")
        await liza.send("/train")
        told = await liza.wait_for("1 картинка пока без слов: 5")
        assert told.button("Учить только по имени")
        await liza.send("лиса с бластером")
        await liza.wait_for("Не знаю, что значит «бластером»")
        await liza.send("/caption 5 a grey mouse")
        await liza.wait_for("Картинка 5: zuvix a grey mouse")
        await liza.send("/samples")
        await liza.wait_for("zuvix, 5 картинок")
        await liza.send("/train")
        await liza.wait_for("Стиль zuvix готов!")
        await liza.send("/sticker лиса пьёт кофе --cfg 2,5 --seed 5 --n 2")
        told = await liza.wait_for("зерно 5–6")
        assert told.text.splitlines() == [
            "zuvix a fox drinking coffee · CFG 2,5 · зерно 5–6",
            "Твои слова: лиса пьёт кофе",
        ]
        await liza.press(told, "Все в набор")
        await liza.wait_for("2 стикера добавлены в твой набор")
        await liza.send("/status")
        await liza.wait_for("Стиль zuvix: 5 картинок, можно рисовать.")
        assert {s.caption_original: s.caption for s in await samples.of_style(running.parts.store, 1)} == (
            CAPTIONS | {None: "zuvix a grey mouse"}
        )
        assert running.engine.draw().prompt == "zuvix a fox drinking coffee"
        (pack,) = await liza.packs()
        for one in (await liza.pack(pack["name"]))["stickers"]:
            assert one["emoji_list"][:2] == ["🦊", "☕"]
            assert {"zuvix", "лиса", "fox", "кофе", "coffee"} <= set(one["keywords"])
    for text in spoken(liza):
        rest = KNOWN_LATIN.sub("", text)
        assert not LATIN.search(rest), text


async def test_what_cannot_be_translated_is_named(stage: Stage, liza: Person) -> None:
    """The rest is drawn; if there is no rest, nothing is, and the person is told."""
    async with stage.bot() as running:
        await liza.send("/sticker лиса с бластером --seed 7")
        await liza.wait_for("Не знаю, что значит «бластером»; остальное нарисовал.")
        job = await jobs.get(running.parts.store, 1)
        assert job is not None
        assert (job.prompt, job.prompt_original) == ("a fox with бластером", "лиса с бластером")
        found = next(message for message in liza.messages if message.kind == "sticker")
        await liza.press(found, "again:")
        await liza.wait_for("Твои слова: лиса с бластером")
        await liza.send("/sticker бластером")
        await liza.wait_for("Не знаю, что значит «бластером», а больше рисовать нечего.")
        assert await jobs.get(running.parts.store, 3) is None


async def test_the_clients_language_counts_until_one_is_chosen(stage: Stage, liza: Person) -> None:
    """A choice stays over messages and restarts, although the client goes on to say Russian."""
    async with stage.bot() as running:
        await liza.send("/language")
        told = await liza.wait_for("На каком языке мне говорить?")
        assert [button.label for button in told.buttons] == ["English", "Русский"]
        await liza.press(told, "English")
        await liza.wait_for("I speak English now.")
        await liza.send("/start")
        await liza.wait_for("Hello Лиза!")
        person = await people.get(running.parts.store, liza.id)
        assert (person.language, person.writes_in) == ("en", "ru")
    async with stage.bot():
        await liza.send("/status")
        await liza.wait_for("You have no style yet.")
        await liza.send("/language")
        await liza.press(await liza.wait_for("Which language"), "Русский")
        await liza.wait_for("Теперь говорю по-русски.")
        await liza.send("/status")
        await liza.wait_for("Стиля у тебя пока нет.")


@pytest.mark.parametrize(
    ("code", "told"), [("ru-RU", "Привет"), ("uk", "Hello"), ("de", "Hello"), ("", "Hello")]
)
async def test_first_words_by_client(stage: Stage, code: str, told: str) -> None:
    """Who speaks what the bot does not speak gets English."""
    async with (
        stage.bot(),
        Person.join(stage.playground.address, "Eve", language_code=code) as eve,
    ):
        await eve.send("/start")
        await eve.wait_for(f"{told}, Eve!" if told == "Привет" else f"{told} Eve!")


async def test_a_german_prompt(stage: Stage) -> None:
    """English texts, German words, an English drawing."""
    async with (
        stage.bot() as running,
        Person.join(stage.playground.address, "Uli", language_code="de") as uli,
    ):
        await uli.send("/sticker einen roten Fuchs --seed 3")
        told = await uli.wait_for("seed 3")
        assert "a red fox · CFG 5 · seed 3\nYour words: einen roten Fuchs" in told.text
        assert running.engine.draw().prompt == "a red fox"


async def test_deletion_takes_a_persons_own_words_along(stage: Stage, liza: Person) -> None:
    """The original of a caption goes with its picture, or with the next caption."""
    async with styled(stage, liza) as running:
        store = running.parts.store
        for number, words in enumerate(("рыжая лиса", "чёрный кот")):
            await liza.send_picture(picture(128, 100, number), caption=words, as_="document")
        await liza.wait_for("всего 2")
        await liza.send("/caption 1 a bird")
        await liza.wait_for("Картинка 1: zuvix a bird")
        await liza.send("/samples remove 2")
        await liza.wait_for("Картинка 2 убрана, в стиле 1 картинка.")
        dump = "\n".join(str(tuple(row)) for row in await store.rows("SELECT * FROM sample"))
        assert "a bird" in dump
        assert "лиса" not in dump
        assert "кот" not in dump


async def test_telegram_shows_the_bot_in_each_language(stage: Stage, liza: Person, ada: Person) -> None:
    """Menu and descriptions are set once, not at each start; what a start could not set, the next one does."""
    fault = Fault(method="setMyDescription", times=9, retry_after=3600)
    stage.playground.faults.add(fault)
    async with stage.bot():
        pass
    assert "Начни" not in (await liza.bot()).get("description", "")
    fault.times = 0
    async with stage.bot() as running:
        ours, theirs = await liza.bot(), await ada.bot()
        assert ours["description"].startswith("Учусь рисовать в стиле твоих стикеров.")
        assert theirs["description"].startswith("I learn the look of your stickers")
        described = {entry["command"]: entry["description"] for entry in ours["commands"]}
        assert described["language"] == "Твой язык"
        assert [entry["command"] for entry in theirs["commands"]] == list(described)
        bot = running.parts.packs.record.bot
        assert (await bot.get_my_short_description(language_code="ru")).short_description.startswith("Учусь")
        name = (await bot.get_my_name()).name
    again = [Fault(method=method, times=1, error=(400, "Bad Request: again")) for method in SETTERS]
    for one in again:
        stage.playground.faults.add(one)
    async with stage.bot() as running:
        assert (await running.parts.packs.record.bot.get_my_name()).name == name
    assert [one.times for one in again] == [1] * len(SETTERS)


async def test_the_name_is_the_owners_unless_the_settings_have_one(stage: Stage) -> None:
    """Set once for all languages."""
    before = stage.config.telegram
    async with stage.bot(telegram=replace(before, name="Наклейкин")) as running:
        assert (await running.parts.packs.record.bot.get_my_name()).name == "Наклейкин"
    async with stage.bot() as running:
        assert (await running.parts.packs.record.bot.get_my_name()).name == "Наклейкин"


SETTERS = ("setMyCommands", "setMyDescription", "setMyShortDescription", "setMyName")


@pytest.mark.parametrize(
    "text",
    [
        "a fox drinking coffee",
        "zuvix a red fox, waving",
        "  A   Fox\nand a CAT ",
        "a 🦊 with a hat",
        "zuvix",
        "a café & a naïve fox",
        "",
    ],
)
@pytest.mark.parametrize("language", ["en", "ru"])
def test_english_is_left_alone(text: str, language: str) -> None:
    """Byte for byte what it was before the bot knew other languages."""
    assert in_english(text, "zuvix", language) == English(text=normalise(text))


def test_the_keyword_is_no_word_to_translate() -> None:
    """It is neither translated nor named as unknown, wherever it stands."""
    for written in ("zuvix einen roten Fuchs", "einen roten ZUVIX Fuchs"):
        assert in_english(written, "zuvix", "de") == English(text="a red fox", original=written)
    assert in_english("zuvix рыжая\n лиса", "zuvix", "ru") == English(
        text="an orange fox", original="zuvix рыжая лиса"
    )


def test_a_text_without_any_known_word() -> None:
    """Only if no word at all is left."""
    assert nothing_known("狐狸!", in_english("狐狸!", "", "zh"))
    assert not nothing_known("лиса 狐狸", in_english("лиса 狐狸", "", "ru"))
    assert not nothing_known("a fox", in_english("a fox", "", "ru"))


async def test_a_language_can_be_named(stage: Stage, ada: Person) -> None:
    """After the command, by code or by name in either language; what is no language gets the buttons."""
    async with stage.bot():
        for said, told in (
            ("русский", "Теперь говорю по-русски"),
            ("EN", "I speak English now"),
            ("ru", "Теперь говорю по-русски"),
            ("английский", "I speak English now"),
        ):
            await ada.send(f"/language {said}")
            await ada.wait_for(told)
        await ada.send("/language klingon")
        assert len((await ada.wait_for("Which language")).buttons) == 2
