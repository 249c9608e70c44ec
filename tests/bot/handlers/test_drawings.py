"""Drawing in the chat: options, sweeps, the buttons below a sticker, replies and edited messages."""

from __future__ import annotations

import io

import pytest
from PIL import Image

from bot.config import Limits
from bot.playground import Message, Person
from bot.tables import drawings
from lora.jobs import Draw, DrawOptions
from tests.bot.conftest import Running, Stage
from tests.bot.fake_engine import held
from tests.bot.trainings import ready_to_train
from tests.waiting import until_async as until


def drawn(running: Running) -> list[Draw]:
    """All draws that the engine was given."""
    return [job for job in running.engine.jobs if isinstance(job, Draw)]


def stickers(person: Person) -> list[Message]:
    """The stickers in the chat."""
    return [message for message in person.messages if message.kind == "sticker"]


async def test_every_option_reaches_the_worker(stage: Stage, ada: Person) -> None:
    """From one message; words for what shall not be on it are put into English, as the prompt is."""
    async with ready_to_train(stage, ada) as running:
        await ada.send("/train")
        await ada.wait_for("is ready")
        await ada.send("/new bomux")
        await ada.wait_for("bomux is open")
        await ada.send(
            "/sticker кот --no очки и шляпа --strength 0.7 --outline красный --cutout network --seed 42~7"
            " --cfg 7 --style zuvix"
        )
        told = await ada.wait_for("seed 42~7")
        (job,) = drawn(running)
        assert (job.prompt, job.adapter) == ("zuvix a cat", b"adapter of zuvix at 4")
        assert job.options == DrawOptions(
            cfg=7.0,
            seed=42,
            near=(7,),
            strength=0.7,
            negative_prompt="glasses and a hat",
            outline="#ff0000",
            cutout="network",
        )
        assert "CFG 7" in told.text
        assert "style × 0.7" in told.text
        assert "without очки и шляпа · outline красный" in told.text


async def test_a_sweep_is_three_stickers_and_one_sheet(stage: Stage, ada: Person) -> None:
    """With the same seed; the sheet says in words what the numbers mean, and can be opened."""
    async with stage.bot() as running:
        await ada.send("/sticker a fox --cfg 3,5,8 --seed 42")
        sheet = await ada.wait_for(lambda m: m.kind == "photo")
        assert len(stickers(ada)) == 3
        assert "CFG 3 / 5 / 8" in sheet.text
        assert sheet.file_id is not None
        picture = Image.open(io.BytesIO(await ada.download(sheet.file_id)))
        assert picture.width > 700
        assert picture.height > 450
        (job,) = drawn(running)
        assert [(o.seed, o.cfg) for o in map(job.options.of_picture, range(3))] == [(42, 3), (42, 5), (42, 8)]
        await ada.press(stickers(ada)[2], "near:")
        await ada.wait_for(lambda m: m.kind == "sticker")
        options = drawn(running)[-1].options
        assert (options.cfg, options.sweep, options.seed, len(options.near)) == (8.0, (), 42, 1)


async def test_a_button_compares_three_ways(stage: Stage, ada: Person) -> None:
    """The same sweep without knowing what CFG is."""
    async with stage.bot() as running:
        await ada.send("/sticker a fox --seed 42")
        await ada.wait_for("seed 42")
        await ada.press(stickers(ada)[0], "⚙️")
        await ada.press(await ada.wait_for(lambda m: m.button("Back") is not None), "Compare 3 ways")
        await ada.wait_for(lambda m: m.kind == "photo")
        options = drawn(running)[-1].options
        assert (options.sweep, options.count, options.seed) == ((3.0, 5.0, 8.0), 3, 42)


async def test_a_style_that_is_not_there(stage: Stage, ada: Person) -> None:
    """The names that there are."""
    async with stage.bot():
        await ada.send("/sticker a fox --style zuvix")
        await ada.wait_for("You have no style yet")
        await ada.send("/new bomux")
        await ada.wait_for("bomux is open")
        await ada.send("/sticker a fox --style zuvix")
        await ada.wait_for("no style “zuvix”. There is: bomux")


async def test_the_sticker_is_cut_out_again_without_drawing(stage: Stage, ada: Person) -> None:
    """The worker gets the drawing with its background; another job comes of it, with the same seed."""
    async with stage.bot() as running:
        await ada.send("/sticker a fox --seed 42")
        await ada.wait_for("seed 42")
        await ada.press(stickers(ada)[0], "menu:")
        menu = await ada.wait_for(lambda m: m.button("no outline") is not None)
        assert [b.label for b in menu.buttons if "•" in b.label] == [
            "• white •",
            "• cut out by the background's colour •",
        ]
        await ada.press(menu, "no outline")
        await ada.wait_for(lambda m: m.kind == "sticker" and m.id != menu.id)
        told = await ada.wait_for(lambda m: "seed 42" in m.text and "outline" in m.text)
        assert told.text.startswith("a fox · CFG 5 · seed 42 · no outline")
        first, again = drawn(running)
        assert again.options == DrawOptions(seed=42, outline="none")
        assert again.background == (0, 255, 0)
        found = await drawings.get(running.parts.store, ada.id, 1)
        assert found is not None
        assert found[0].uncut is not None
        assert again.uncut == await running.parts.blobs.read(found[0].uncut)
        assert (first.uncut, again.prompt, again.adapter) == (None, "a fox", None)


async def test_a_drawing_that_is_not_kept_cannot_be_cut_out_again(stage: Stage, ada: Person) -> None:
    """The bot says so; stickers from before have no such button."""
    async with stage.bot() as running:
        await ada.send("/sticker a fox --seed 42")
        await ada.wait_for("seed 42")
        await ada.press(stickers(ada)[0], "Outline")
        menu = await ada.wait_for(lambda m: m.button("white") is not None)
        await running.parts.store.change("UPDATE drawing SET uncut = NULL")
        await ada.press(menu, "black")
        await ada.wait_for("do not have that sticker any more")
        await ada.press(menu, "Back")
        below = await ada.wait_for(lambda m: m.button("again:") is not None)
        assert below.button("Outline") is None


@pytest.mark.parametrize(
    ("button", "changes"),
    [("2 more", {"count": 2}), ("less style", {"strength": 0.6}), ("more style", {"strength": 1.3})],
)
async def test_the_menu_draws_otherwise(
    stage: Stage, ada: Person, button: str, changes: dict[str, object]
) -> None:
    """Several have new seeds; a weaker or stronger style has the same."""
    async with ready_to_train(stage, ada) as running:
        await ada.send("/train")
        await ada.wait_for("is ready")
        await ada.send("/sticker a fox --seed 42")
        await ada.wait_for("seed 42")
        await ada.press(stickers(ada)[0], "⚙️")
        menu = await ada.wait_for(lambda m: m.button("Back") is not None)
        await ada.press(menu, button)
        await until(lambda: len(drawn(running)) == 2)
        options = drawn(running)[-1].options
        assert {name: getattr(options, name) for name in changes} == changes
        assert (options.seed == 42) == ("count" not in changes)


async def test_a_drawing_of_the_base_alone_is_redrawn_by_the_base_alone(stage: Stage, ada: Person) -> None:
    """A style that was learned meanwhile changes no earlier drawing; new words alone are drawn in it."""
    async with ready_to_train(stage, ada) as running:
        await ada.send("/sticker a fox --seed 42")
        await ada.wait_for("seed 42")
        await ada.send("/train")
        await ada.wait_for("is ready")
        await ada.press(stickers(ada)[0], "Again")
        await until(lambda: len(drawn(running)) == 2)
        await ada.send("--n 2", reply_to=stickers(ada)[0])
        await until(lambda: len(drawn(running)) == 3)
        await ada.send("/sticker a fox")
        await until(lambda: len(drawn(running)) == 4)
        assert [job.adapter is None for job in drawn(running)] == [True, True, True, False]


async def test_words_for_what_shall_not_be_on_it_are_asked_for(stage: Stage, ada: Person) -> None:
    """The next text, or a reply to the question, draws the same without them."""
    async with stage.bot() as running:
        await ada.send("/sticker a fox --seed 42")
        await ada.wait_for("seed 42")
        await ada.press(stickers(ada)[0], "⚙️")
        await ada.press(await ada.wait_for(lambda m: m.button("Without") is not None), "Without")
        asked = await ada.wait_for("What shall not be on it?")
        await ada.send("glasses")
        await ada.wait_for("without glasses")
        await ada.send("a hat", reply_to=asked)
        await ada.wait_for("without a hat")
        await until(lambda: len(drawn(running)) == 3)
        options = [job.options for job in drawn(running)[1:]]
        assert [(o.negative_prompt, o.seed) for o in options] == [("glasses", 42), ("a hat", 42)]


async def test_a_reply_to_a_sticker_changes_what_it_says(stage: Stage, ada: Person) -> None:
    """Only options: the same prompt and seed. New words: the same options."""
    async with stage.bot() as running:
        await ada.send("/sticker a fox --seed 42 --outline none")
        await ada.wait_for("seed 42")
        first = stickers(ada)[0]
        await ada.send("/sticker --cfg 8", reply_to=first)
        await ada.wait_for("a fox · CFG 8 · seed 42")
        await ada.send("/sticker a cat", reply_to=first)
        await ada.wait_for("a cat · CFG 5 · seed 42")
        assert [job.options.outline for job in drawn(running)] == ["none"] * 3


async def test_an_edited_message_is_drawn_anew(stage: Stage, ada: Person) -> None:
    """What its old text has asked for is cancelled if it waits; the same edit is drawn once."""
    engine = held()
    async with stage.bot(engine) as running:
        sent = await ada.send("/sticker a fox --seed 1")
        await ada.wait_for("Drawing a fox")
        await ada.edit(sent, "/sticker a cat --seed 2")
        await ada.wait_for("Drawing a fox was cancelled")
        engine.go.set()
        await ada.wait_for("a cat · CFG 5 · seed 2")
        await ada.edit(sent, "/sticker a cat --seed 2")
        await ada.edit(sent, "/sticker a dog --seed 3")
        await ada.wait_for("a dog · CFG 5 · seed 3")
        assert [job.prompt for job in drawn(running)] == ["a fox", "a cat", "a dog"]


async def test_the_way_of_similar_drawings_is_kept(stage: Stage, ada: Person) -> None:
    """Each is near the one before; the seed that is told draws it again."""
    async with stage.bot(limits=Limits(jobs_per_person=9)) as running:
        await ada.send("/sticker a fox --seed 42")
        await ada.wait_for("seed 42")
        for _ in range(2):
            await ada.press(stickers(ada)[-1], "near:")
            told = await ada.wait_for(lambda m: "seed 42~" in m.text)
            assert " · more like the one before" in told.text
        first, second = drawn(running)[-2:]
        assert second.options.near[:1] == first.options.near
        await ada.send(f"/sticker a fox --seed {told.text.rpartition('seed ')[2]}")
        await until(lambda: len(drawn(running)) == 4)
        assert drawn(running)[-1].options == second.options
