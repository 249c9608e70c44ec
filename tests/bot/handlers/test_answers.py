"""The next plain text answers what the bot has asked, whatever it was, also after a restart."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from bot.command_words import named
from bot.context import Context
from bot.handlers import answers
from bot.playground import Message, Person
from bot.tables import jobs, questions, samples
from lora.jobs import Draw
from tests.bot.conftest import Running, Stage
from tests.bot.fake_engine import held, picture
from tests.patient_person import PatientPerson
from tests.waiting import until_async as until


@pytest.fixture
async def anya(stage: Stage) -> AsyncIterator[Person]:
    """Somebody who speaks Russian."""
    async with PatientPerson.join(stage.playground.address, "Аня", language_code="ru") as person:
        yield person


def drawn(running: Running) -> list[Draw]:
    return [job for job in running.engine.jobs if isinstance(job, Draw)]


async def with_a_picture_without_words(anya: Person) -> Message:
    """A style with a picture that waits for a caption, and then a drawing; gives the drawing."""
    await anya.send("/new zuvix")
    await anya.wait_for("zuvix создан")
    await anya.send_picture(picture(128, 128, 1), as_="document")
    await anya.wait_for("Что на картинке 1?")
    await anya.send("/sticker лиса --seed 42")
    await anya.wait_for("зерно 42")
    return next(message for message in anya.messages if message.kind == "sticker")


async def pressed(anya: Person, sticker: Message, label: str) -> None:
    await anya.press(sticker, "⚙️")
    await anya.press(await anya.wait_for(lambda m: m.button(label) is not None), label)


async def captions_of(running: Running) -> list[str | None]:
    return [one.caption for one in await samples.of_style(running.parts.store, 1)]


async def test_the_answer_is_no_caption_though_a_picture_waits_for_one(stage: Stage, anya: Person) -> None:
    """Also after a restart between question and answer. The text after it is a caption again."""
    async with stage.bot():
        await pressed(anya, await with_a_picture_without_words(anya), "🚫 Без…")
        await anya.wait_for("Чего на рисунке быть не должно?")
    async with stage.bot() as running:
        await anya.send("очки")
        await anya.wait_for("без: очки")
        assert await captions_of(running) == [None]
        await anya.send("рыжая лиса")
        await anya.wait_for("Картинка 1:")
        assert await captions_of(running) == ["zuvix an orange fox"]


@pytest.mark.parametrize("how", ["button", "word", "command"])
async def test_a_question_can_be_ended(stage: Stage, anya: Person, how: str) -> None:
    """With its button, a word or /cancel: then the next text is a caption, and nothing is undone."""
    async with stage.bot() as running:
        await pressed(anya, await with_a_picture_without_words(anya), "✏️ Другие слова")
        asked = await anya.wait_for("Что нарисовать вместо этого?")
        if how == "button":
            await anya.press(asked, "✕ Отмена")
        else:
            await anya.send("отмена" if how == "word" else "/cancel")
        await anya.wait_for("оставляю как есть")
        await anya.send("лиса")
        await anya.wait_for("Картинка 1:")
        assert await captions_of(running) == ["zuvix a fox"]
        assert len(drawn(running)) == 1


@pytest.mark.parametrize("command", ["/delete", "/forgetme"])
async def test_what_cannot_be_undone_can_be_left(stage: Stage, anya: Person, command: str) -> None:
    """With a button, a word or /cancel, which take the buttons away. Until then other words are told to wait."""
    async with stage.bot() as running:
        await with_a_picture_without_words(anya)
        for how in ("✕ Отмена", "отмена", "Нет!", "/cancel"):
            await anya.send(command)
            asked = await anya.wait_for(lambda m: m.button("✕ Отмена") is not None)
            if how.startswith("✕"):
                await anya.press(asked, how)
            else:
                await anya.send("рыжая лиса")  # no caption while the question is open
                await anya.wait_for("Я ещё жду ответа")
                await anya.send("Да")
                await anya.wait_for("только по кнопке")
                await anya.send(how)
            await anya.wait_for("оставляю как есть")
            await anya.wait_for(lambda m, id=asked.id: m.id == id and not m.buttons)  # type: ignore[misc]
        assert await captions_of(running) == [None]
        await anya.send(command)
        await anya.press(await anya.wait_for(lambda m: m.button("Удалить") is not None), "Удалить")
        await anya.wait_for(lambda m: re.search("удал[её]н", m.text) is not None)
        await anya.send("отмена")
        assert "останавливать нечего" in (await anya.wait_for()).text


async def test_the_word_for_cancel_takes_nothing_back(stage: Stage, anya: Person) -> None:
    """As /cancel: what is done stays."""
    async with stage.bot() as running:
        await with_a_picture_without_words(anya)
        await anya.send("лиса")
        await anya.wait_for("Картинка 1:")
        for word in ("отмена", "Отмена!", "остановить"):
            await anya.send(word)
            assert "останавливать нечего" in (await anya.wait_for()).text
        assert await captions_of(running) == ["zuvix a fox"]


CANCEL_WORDS = sorted(word for word, command in named().items() if command == "cancel")
END_WORDS = ["cancel", *CANCEL_WORDS, "стоп", "stop"]


@pytest.mark.parametrize("question", ["/delete", "/forgetme", "/sticker"])
async def test_a_word_for_cancel_ends_the_question_and_no_job(
    stage: Stage, anya: Person, question: str
) -> None:
    """Each of them, in any language: the running drawing goes on, and the word itself is not drawn."""
    engine = held()
    async with stage.bot(engine) as running:
        await anya.send("/new zuvix")
        await anya.wait_for("zuvix создан")
        await anya.send("/sticker лиса --seed 42")
        await until(lambda: engine.jobs)
        for word in (*END_WORDS, "Остановить!"):
            await anya.send(question)
            asked = await anya.wait_for(lambda m: m.button("✕ Отмена") is not None)
            since = anya.seq
            await anya.send(word)
            await anya.wait_for("оставляю как есть")
            await anya.wait_for(lambda m, id=asked.id: m.id == id and not m.buttons, since=since)  # type: ignore[misc]
        assert len(await jobs.active_of(running.parts.store, anya.id)) == 1
        assert len(drawn(running)) == 1


ASKED: list[tuple[str, str, str, str]] = [
    ("/sticker", "Что нарисовать?", "рыжий кот --seed 7", "an orange cat · CFG 5 · зерно 7"),
    ("/new", "Стилю нужно имя", "bomux", "bomux создан"),
    ("/rename", "Как теперь назвать zuvix", "bomux", "теперь зовётся bomux"),
    ("/pack", "Из какого набора", "Nothing", "Набора Nothing нет"),
]


@pytest.mark.parametrize(("command", "question", "answer", "done"), ASKED, ids=[one[0] for one in ASKED])
async def test_commands_without_words_ask_for_them(
    stage: Stage, anya: Person, command: str, question: str, answer: str, done: str
) -> None:
    """As they come from the app's menu; a wrong answer is told, and the question stays."""
    async with stage.bot() as running:
        await with_a_picture_without_words(anya)
        await anya.send(command)
        await anya.wait_for(question)
        if command in ("/new", "/rename"):
            await anya.send("рыжая лиса")
            await anya.wait_for("не подойдёт")
        await anya.send(answer)
        await anya.wait_for(done)
        assert await captions_of(running) == [None]


async def test_who_asks_for_help_answers_nothing(stage: Stage, anya: Person) -> None:
    """The help comes in place of a drawing of it."""
    async with stage.bot() as running:
        await anya.send("/sticker")
        await anya.wait_for("Что нарисовать?")
        await anya.send("помощь")
        await anya.wait_for("Научить стилю")
        assert drawn(running) == []


async def test_something_else_ends_a_question(stage: Stage, anya: Person) -> None:
    """A picture: the words after it are about the picture."""
    async with stage.bot() as running:
        await pressed(anya, await with_a_picture_without_words(anya), "🚫 Без…")
        await anya.wait_for("Чего на рисунке")
        await anya.send_picture(picture(128, 128, 2), as_="document")
        await anya.wait_for("всего 2")
        await anya.send("кот")
        await anya.wait_for("Картинка 2:")
        assert await captions_of(running) == [None, "zuvix a cat"]


async def test_an_answer_that_was_cut_off_is_taken_up_again(
    stage: Stage, ada: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The bot is killed after the answer was noted: the text is not taken for something else."""
    reached = asyncio.Event()
    note = questions.answer

    async def killed(*args: object) -> None:
        await note(*args)  # type: ignore[arg-type]
        reached.set()
        await asyncio.Event().wait()

    async with stage.bot():
        await ada.send("/sticker")
        await ada.wait_for("What shall I draw?")
        monkeypatch.setattr(questions, "answer", killed)
        await ada.send("a fox --seed 3")
        await reached.wait()
    monkeypatch.setattr(questions, "answer", note)
    async with stage.bot() as running:
        await ada.wait_for("a fox · CFG 5 · seed 3")
        await ada.send("/status")
        await ada.wait_for("nothing")
        assert not any("Shall I draw" in message.text for message in ada.messages)
        assert await running.parts.store.value("SELECT count(*) FROM job") == 1


async def test_in_a_group_a_reply_answers(stage: Stage, ada: Person) -> None:
    """Other texts there are talk among people."""
    group = await ada.group("Friends")
    async with (
        stage.bot() as running,
        PatientPerson.join(stage.playground.address, id=ada.id, chat=group) as there,
    ):
        await there.send("/sticker a fox --seed 1")
        await there.wait_for("seed 1")
        await pressed(there, next(m for m in there.messages if m.kind == "sticker"), "🚫")
        asked = await there.wait_for("Reply to this message")
        assert not asked.buttons
        await there.send("nice weather")
        await there.send("glasses", reply_to=asked)
        await there.wait_for("without glasses")
        await until(lambda: len(drawn(running)) == 2)


async def test_every_kind_of_question_has_its_answer() -> None:
    """No question is asked that nobody answers."""
    deeds: list[Callable[[Context, questions.Question, str], Awaitable[None]]] = list(answers.KINDS.values())
    assert len(set(deeds)) == len(answers.KINDS) == 11
