"""/sticker: what draws, and the buttons below a sticker."""

from __future__ import annotations

from bot.config import Sticker
from bot.playground import Message, Person
from lora.data import captions
from lora.jobs import Draw, Failed, Train
from tests.bot.conftest import Stage
from tests.bot.fake_engine import FakeEngine, picture
from tests.bot.trainings import CHECKPOINT, drawn_with, ready_to_train, trained
from tests.patient_person import PatientPerson
from tests.waiting import until_async as until


async def test_what_draws_is_named(stage: Stage, ada: Person) -> None:
    """The message says what a sticker is drawn with: no style, an untrained one, or the newest checkpoint."""
    engine = FakeEngine()
    engine.hold_after_checkpoint = True
    async with stage.bot() as running:
        await ada.send("/sticker a fox --seed 1")
        await ada.wait_for("Drawn without a style: you have none yet. /new")
        assert (await running.engine.given(Draw)).prompt == "a fox"
    async with ready_to_train(stage, ada, engine) as running:
        await ada.send("/sticker a fox --seed 2")
        await ada.wait_for("Drawn without your style: it is not trained yet")
        engine.go.clear()
        await ada.send("/train")
        await engine.given(Train)
        await ada.send("/sticker a fox --seed 4")
        await ada.wait_for("I am still learning it")
        engine.go.set()
        await until(lambda: running.parts.store.value(CHECKPOINT))
        await ada.send("/export")
        assert "what I learned in 2 steps" in (await ada.wait_for("What of zuvix")).text
        await ada.send("/sticker a fox --seed 3")
        await ada.wait_for("learned of zuvix so far")
        drawn = await engine.given(Draw, seed=3)
        assert drawn.adapter == b"adapter of zuvix at 2"
        assert drawn.prompt == "zuvix a fox"


async def test_the_buttons_below_a_sticker(stage: Stage, ada: Person) -> None:
    """Again has another seed, CFG the same; the current CFG is marked."""
    async with stage.bot(sticker=Sticker(cfg=5)) as running:
        await ada.send("/sticker a fox --seed 10 --n 2")
        await ada.wait_for("seed 10–11")
        second = [m for m in ada.messages if m.kind == "sticker"][1]
        assert [b.label for b in second.buttons] == [
            "➕ Add to pack",
            "🔁 Again",
            "freer · 3",
            "• as usual · 5 •",
            "stricter · 8",
            "✨ More like this",
            "✂️ Outline",
            "⚙️ More",
        ]
        await ada.press(second, "again:")
        await ada.wait_for(lambda m: m.kind == "sticker")
        await ada.press(second, "stricter")
        await ada.wait_for("a fox · CFG 8 · seed 11")
        _, again, other = running.engine.jobs
        assert isinstance(again, Draw)
        assert isinstance(other, Draw)
        assert (again.prompt, again.options.cfg, again.options.count) == ("a fox", 5.0, 1)
        assert again.options.seed not in (10, 11)
        assert (other.prompt, other.options.cfg, other.options.seed) == ("a fox", 8.0, 11)


async def test_a_prompt_that_is_too_long(stage: Stage, ada: Person) -> None:
    """The answer has the number of tokens and the limit."""
    async with stage.bot():
        await ada.send("/sticker " + "fox " * 200)
        await ada.wait_for(f"200 tokens, and there is room for {captions.room()}")


async def test_a_new_base_asks_for_a_new_training(stage: Stage, ada: Person) -> None:
    """Told before anything is drawn; one tap trains on the kept samples, and then it draws."""
    async with ready_to_train(stage, ada):
        await trained(ada)
    async with stage.bot(FakeEngine(base_hash="1" * 64)) as running:
        await ada.send("/sticker a fox")
        told = await ada.wait_for("new drawing model")
        assert running.engine.jobs == []
        await ada.press(told, "train:again:")
        await ada.wait_for("Your style zuvix is ready")
        assert await drawn_with(ada, running) == b"adapter of zuvix at 4"


async def test_a_draw_that_the_worker_refuses_offers_the_same(stage: Stage, ada: Person) -> None:
    """The row of the checkpoint names no base, so the worker finds out; its refusal offers a new training."""
    engine = FakeEngine()
    async with ready_to_train(stage, ada, engine) as running:
        await trained(ada)
        await running.parts.store.change("UPDATE checkpoint SET base = NULL")
        engine.go.clear()
        await ada.send("/sticker a fox")
        await until(lambda: len(engine.jobs) == 2)
        engine.say(Failed(job=2, attempt=1, code="other-base"))
        told = await ada.wait_for("new drawing model")
        engine.go.set()
        await ada.press(told, "train:again:1")
        await ada.wait_for("Your style zuvix is ready")


async def test_without_a_hat_is_drawn_without_a_hat(stage: Stage) -> None:
    """What shall not be there is no word of the prompt; the message names it in the words of the person."""
    async with (
        PatientPerson.join(stage.playground.address, "Оля", language_code="ru") as olya,
        stage.bot() as running,
    ):

        async def drawn(text: str, told: str, reply_to: Message | None = None) -> tuple[str, str]:
            before = len(running.engine.jobs)
            await olya.send(text, reply_to=reply_to)
            await olya.wait_for(told)
            await olya.wait_for(lambda message: message.kind == "sticker")
            job = running.engine.jobs[before]
            assert isinstance(job, Draw)
            return job.prompt, job.options.negative_prompt

        assert await drawn("/sticker лиса без шляпы", "без: шляпы\nТвои слова: лиса без шляпы\n") == (
            "a fox",
            "a hat",
        )
        all_words = "Твои слова: хочу стикер с котиком"
        assert await drawn("/sticker хочу стикер с котиком", all_words) == ("a cat", "")
        all_words = "без: шляпы\nТвои слова: нарисуй кота без шляпы"
        assert await drawn("/sticker нарисуй кота без шляпы", all_words) == ("a cat", "a hat")
        sticker = next(message for message in olya.messages if message.kind == "sticker")
        told = "без: красная шляпа\nТвои слова: жираф не в красной шляпе\n"
        assert await drawn("/sticker жираф не в красной шляпе", told) == ("a giraffe", "a red hat")
        assert await drawn("без очков", "без: шляпы, очков", sticker) == ("a fox", "a hat, glasses")
        assert await drawn("кот --no без усов", "без: усов", sticker) == ("a cat", "a mustache")
        assert await drawn("/sticker лиса --no очки без шляпы", "без: очки, шляпы") == (
            "a fox",
            "glasses, a hat",
        )
        assert await drawn("/sticker лиса без фона и без обводки", "без обводки") == ("a fox", "")
        assert running.engine.draw().options.outline == "none"
        await olya.send("/sticker без шляпы")
        await olya.wait_for("Что нарисовать без шляпы? Напиши целиком: /sticker")
        assert await drawn("/sticker лиса без белой рамки", "без обводки") == ("a fox", "")
        assert await drawn("/sticker no dogs", "no dogs") == ("no dogs", "")
        assert await drawn("с шарфом", "лиса с шарфом", sticker) == ("a fox with a scarf", "a hat")
        assert await drawn("красная обводка", "обводка: красная", sticker) == ("a fox", "a hat")
        seed = running.engine.draw().options.seed
        assert await drawn("ещё", "без: шляпы", sticker) == ("a fox", "a hat")
        assert running.engine.draw().options.seed != seed
        assert await drawn("убери очки", "без: шляпы, очки", sticker) == ("a fox", "a hat, glasses")
        assert await drawn("remove the tail", "без: шляпы, the tail", sticker) == ("a fox", "a hat, the tail")
        await olya.send("/sticker что?")
        await olya.wait_for("Не знаю, что значит «что?»")


async def test_an_edited_caption_is_drawn_each_time(stage: Stage, ada: Person) -> None:
    """As an edited text is: what is edited is told by its words."""
    async with stage.bot() as running:
        sent = await ada.send_picture(picture(128, 128, 1), caption="/sticker a fox")
        await ada.wait_for("a fox · CFG")
        for words in ("a cat", "a dog"):
            await ada.edit(sent, f"/sticker {words}")
            await ada.wait_for(f"{words} · CFG")
        prompts = ["a fox", "a cat", "a dog"]  # the message may be there before the engine has the job
        await until(lambda: [job.prompt for job in running.engine.jobs if isinstance(job, Draw)] == prompts)


async def test_an_edited_reply_or_answer_is_drawn_anew(stage: Stage, ada: Person) -> None:
    """It changes the drawing that it was about, not the one that it made before."""
    async with stage.bot() as running:

        async def newest(told: str, prompt: str, negative: str = "") -> None:
            await ada.wait_for(told)
            draw = running.engine.draw
            await until(lambda: (draw().prompt, draw().options.negative_prompt) == (prompt, negative))

        await ada.send("/sticker a dog --seed 1")
        await ada.wait_for("seed 1")
        first = next(m for m in ada.messages if m.kind == "sticker")
        reply = await ada.send("with a hat", reply_to=first)
        await ada.wait_for("a dog with a hat · CFG")
        await ada.edit(reply, "with a scarf")
        await newest("a dog with a scarf · CFG 5 · seed 1", "a dog with a scarf")
        await ada.press(first, "menu:1:draw")
        await ada.press(await ada.wait_for(lambda m: m.button("without:") is not None), "without:")
        await ada.wait_for("What shall not be on it?")
        answer = await ada.send("glasses")
        await ada.wait_for("without glasses")
        await ada.edit(answer, "a tail")
        await newest("without a tail", "a dog", "a tail")
        await ada.send("/sticker")
        await ada.wait_for("What shall I draw?")
        prompt = await ada.send("a frog")
        await ada.wait_for("a frog · CFG")
        await ada.wait_for(lambda m: m.kind == "sticker")
        await ada.edit(prompt, "a toad")
        await newest("a toad · CFG", "a toad")
        await ada.wait_for(lambda m: m.kind == "sticker")
        options = await ada.send("--cfg 7")
        await ada.wait_for("a toad · CFG 7")
        await ada.edit(options, "--cfg 8")
        await newest("a toad · CFG 8", "a toad")
        await ada.edit(options, "thanks!")
        await ada.wait_for(lambda m: not m.buttons and "CFG" not in m.text)


async def test_an_edited_reply_in_a_group_is_drawn_anew(stage: Stage, ada: Person) -> None:
    """Other edits in a group are talk."""
    group = await ada.group("Friends")
    async with (
        stage.bot(),
        PatientPerson.join(stage.playground.address, id=ada.id, chat=group) as there,
    ):
        await there.send("/sticker a dog")
        await there.wait_for("a dog · CFG")
        sticker = await there.wait_for(lambda m: m.kind == "sticker")
        talk = await there.send("nice")
        await there.edit(talk, "very nice")
        reply = await there.send("with a hat", reply_to=sticker)
        await there.wait_for("a dog with a hat · CFG")
        await there.edit(reply, "with a scarf")
        await there.wait_for("a dog with a scarf · CFG")
        assert not [m for m in there.messages if m.from_bot and "nice" in m.text]
