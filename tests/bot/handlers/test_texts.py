"""Plain texts about drawings: a reply, options alone, words where no caption is wanted."""

from __future__ import annotations

from bot.playground import Person
from lora.jobs import Draw
from tests.bot.conftest import Running, Stage
from tests.bot.fake_engine import picture
from tests.bot.styled import item, styled
from tests.waiting import until_async as until


def drawn(running: Running) -> list[Draw]:
    return [job for job in running.engine.jobs if isinstance(job, Draw)]


async def test_a_reply_without_a_command_changes_the_drawing(stage: Stage, ada: Person) -> None:
    """To the sticker, and to the message that tells of it: options, or other words."""
    async with styled(stage, ada) as running:
        await ada.send("/sticker a fox --seed 42 --outline none")
        told = await ada.wait_for("seed 42")
        sticker = next(message for message in ada.messages if message.kind == "sticker")
        for replied, text, done in (
            (sticker, "--cfg 8", "a fox · CFG 8 · seed 42"),
            (sticker, "--n 2", "seed 42–43"),
            (told, "—cfg 3", "a fox · CFG 3 · seed 42"),
            (told, "a cat", "a cat · CFG 5 · seed 42"),
        ):
            await ada.send(text, reply_to=replied)
            await ada.wait_for(done)
        assert {job.options.outline for job in drawn(running)} == {"none"}


async def test_what_a_reply_leaves_out_is_in_the_prompt_no_more(stage: Stage, ada: Person) -> None:
    """As words, as an option, and together with something new; a new prompt is taken as it is written."""
    async with styled(stage, ada) as running:
        await ada.send("/sticker кот в шляпе --seed 42")
        told = await ada.wait_for("seed 42")
        for text, prompt, without in (
            ("без шляпы", "a cat", "a hat"),
            ("now without the hat", "a cat", "the hat"),
            ("--no hat", "a cat", "hat"),
            ("with glasses, without a hat", "a cat with glasses", "a hat"),
            ("a dog in a hat --no hat", "a dog in a hat", "hat"),
        ):
            before = len(drawn(running))
            await ada.send(text, reply_to=told)
            await until(lambda before=before: len(drawn(running)) > before)  # type: ignore[misc]
            job = drawn(running)[-1]
            assert (job.prompt, job.options.negative_prompt) == (prompt, without)


async def test_small_talk_in_reply_to_a_drawing_is_answered(stage: Stage, ada: Person) -> None:
    """No job is made of it."""
    async with styled(stage, ada) as running:
        await ada.send("/sticker a fox --seed 42")
        told = await ada.wait_for("seed 42")
        jobs = len(drawn(running))
        await ada.send("Thanks!", reply_to=told)
        await ada.wait_for("You are welcome")
        await ada.send("bigger", reply_to=told)
        await ada.wait_for("I cannot draw that")
        assert len(drawn(running)) == jobs


async def test_small_talk_alone_is_answered(stage: Stage, ada: Person) -> None:
    """With a style and without one; it is not offered as a drawing. Where a picture waits for words, it is these."""
    said = (
        ("привет", "Hello! I draw stickers"),
        ("как дела?", "ready to draw"),
        ("спасибо", "You are welcome"),
        ("thank you!", "You are welcome"),
        ("what can you do?", "I learn to draw stickers"),
        ("ok", "Tell me what to draw"),
    )
    async with stage.bot() as running:
        for style in ("", "zuvix"):
            if style:
                await ada.send(f"/new {style}")
                await ada.wait_for("zuvix is open")
            for text, answer in said:
                await ada.send(text)
                assert not (await ada.wait_for(answer)).buttons
        await ada.send_picture(picture(128, 128, 1), as_="document")
        await ada.wait_for("1 in all")
        await ada.send("hello")
        await ada.wait_for("Picture 1: zuvix hello")
        assert not drawn(running)


async def test_a_number_in_front_may_be_that_of_a_picture(stage: Stage, ada: Person) -> None:
    """Where no picture waits for words, the answer says how to mean it; not for a picture that is not there."""
    async with styled(stage, ada):
        await ada.album([item(1, "a fox"), item(2, "a cat")])
        await ada.wait_for("2 in all")
        await ada.send("2 ключик")
        told = await ada.wait_for("Shall I draw that?")
        assert "If 2 is a picture's number, write 2: ключик" in told.text
        await ada.send("3 keys")
        assert "picture's number" not in (await ada.wait_for("Shall I draw that?")).text


async def test_options_alone_change_the_newest_drawing(stage: Stage, ada: Person) -> None:
    """With words they are a new drawing; where nothing was drawn yet, the bot asks what to draw."""
    async with stage.bot() as running:
        await ada.send("--cfg 8")
        await ada.wait_for("Tell me what to draw")
        await ada.send("a fox --seed 42")
        await ada.wait_for("a fox · CFG 5 · seed 42")
        await ada.send("--cfg 8")
        await ada.wait_for("a fox · CFG 8 · seed 42")
        await ada.send("--cfq 8")
        await ada.wait_for("Did you mean --cfg?")
        assert len(drawn(running)) == 2


async def test_words_of_somebody_without_a_style_can_be_drawn(stage: Stage, ada: Person) -> None:
    """/new is told, too; one press draws them."""
    async with stage.bot() as running:
        await ada.send("please draw me a fox in a hat")
        told = await ada.wait_for("/new teaches me your style")
        assert "/sticker" in told.text
        await ada.press(told, "Draw “a fox in a hat”")
        await until(lambda: [job.prompt for job in drawn(running)] == ["a fox in a hat"])
        await ada.send("🦊")
        await ada.press(await ada.wait_for("Shall I draw that"), "Draw “🦊”")
        await until(lambda: [job.prompt for job in drawn(running)][1:] == ["fox"])
        await ada.send("???")
        assert "Shall I" not in (await ada.wait_for("Tell me what to draw")).text
