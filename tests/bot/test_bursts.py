"""Many pictures at once, and pictures before there is a style: one edited answer, nothing lost."""

from __future__ import annotations

import pytest

from bot.config import Train
from bot.playground import Fault, Person, Picture
from bot.words import Words, fitted
from tests.bot.conftest import Stage
from tests.bot.fake_engine import picture, sticker
from tests.bot.styled import captions, item, kept, styled
from tests.waiting import until_async as until


async def test_a_full_style_refuses_a_burst_once(stage: Stage, ada: Person) -> None:
    """60 pictures too many are one message."""
    async with styled(stage, ada, train=Train(max_samples=2)) as running:
        since = ada.seq
        await ada.album([item(number) for number in range(30)])
        await ada.wait_for("28 pictures were not taken. A style can have 2 pictures", since=since)
        await until(lambda: len(stage.playground.calls))
        told = [m for m in ada.heard(since) if "can have 2" in m.text]
        assert len(told) == 1
        assert len(await kept(running)) == 2


async def test_many_captions_that_are_too_long_are_one_line(stage: Stage, ada: Person) -> None:
    """The answer fits into one message, however many there are."""
    async with styled(stage, ada) as running:
        since = ada.seq
        await ada.album([item(number, "quite a long tale " * 40) for number in range(40)])
        told = await ada.wait_for("40 in all", since=since)
        assert "The captions of pictures 1, 2, 3" in told.text
        assert len(told.text) < 1000
        assert await captions(running) == [None] * 40


async def test_different_refusals_of_a_burst_are_one_message(stage: Stage, ada: Person) -> None:
    """Each reason with how many pictures it befell; the good ones are taken."""
    async with styled(stage, ada) as running:
        since = ada.seq
        await ada.album([item(1), item(2, size=20), item(3, size=20), item(4)])
        await ada.send_picture(b"no picture at all", as_="document")
        told = await ada.wait_for("1 picture was not taken. I cannot read that file", since=since)
        assert "2 pictures were not taken. That picture is too small" in told.text
        await ada.wait_for("2 in all", since=since)
        assert len(await kept(running)) == 2


async def test_refusals_survive_a_kill(stage: Stage, ada: Person) -> None:
    """They are stored until they are told."""
    async with styled(stage, ada):
        fault = stage.playground.faults.add(Fault(method="sendMessage", error=(502, "x"), times=999))
        await ada.send_picture(b"no picture at all", as_="document")
        await until(lambda: fault.times < 999)
    fault.times = 0
    async with stage.bot():
        await ada.wait_for("cannot read that file")


async def test_pictures_before_a_style_are_kept(stage: Stage, ada: Person) -> None:
    """One question, edited; after /new they are taken in their order, with the words between them."""
    async with stage.bot() as running:
        since = ada.seq
        await ada.album([Picture(data=picture(128, 128, n), as_="document") for n in range(4)])
        await ada.send_picture(picture(128, 128, 9), as_="document", caption="a cat")
        told = await ada.wait_for("I keep your 5 messages", since=since)
        assert len(ada.heard(since)) == 1
        await ada.send("a red fox")
        await ada.wait_for("I keep your 6 messages", since=since)
        assert len(told.buttons) == 3
    async with stage.bot() as running:
        await ada.press(told, told.buttons[0].label)
        await ada.wait_for("5 in all")
        word = told.buttons[0].label
        await until(lambda: captions(running))
        assert await captions(running) == [None, None, None, f"{word} a red fox", f"{word} a cat"]


async def test_the_keyword_can_be_the_answer(stage: Stage, ada: Person) -> None:
    """When the bot asks for a keyword, a text that is one word is the keyword."""
    async with stage.bot() as running:
        await ada.send_picture(sticker(1), as_="sticker", emoji="🦊")
        await ada.wait_for("How shall it be called?")
        await ada.send("Zuvix")
        await ada.wait_for("Your style zuvix is open")
        await ada.wait_for("1 in all")
        assert await captions(running) == ["zuvix fox"]


async def test_a_natural_name_is_the_keyword_and_another_word_is_explained(stage: Stage, ada: Person) -> None:
    """A word that cannot be a keyword is kept as words; of several words, and of a reply, nothing is said."""
    async with stage.bot() as running:
        sent = await ada.send_picture(sticker(1), as_="document")
        await ada.wait_for("How shall it be called?")
        await ada.send("fox")
        assert "I keep this as words about your picture." in (await ada.wait_for("“fox” is known to me")).text
        since = ada.seq
        await ada.send("cat", reply_to=sent)
        await ada.wait_for("I keep your 2 messages", since=since)
        assert not [told for told in ada.heard(since) if "known to me" in told.text]
        await ada.send("kotofey")
        await ada.wait_for("Your style kotofey is open")
        await until(lambda: captions(running))
        await ada.wait_for("kotofey cat")
        assert await captions(running) == ["kotofey cat"]


async def test_a_picture_whose_caption_makes_a_style_is_in_it(stage: Stage, ada: Person) -> None:
    """/new as a caption is /new, and the picture is its first."""
    async with stage.bot() as running:
        await ada.send_picture(picture(128, 128, 1), as_="document", caption="/new zuvix")
        await ada.wait_for("Your style zuvix is open")
        await ada.wait_for("1 in all")
        assert await captions(running) == [None]


async def test_a_command_as_a_caption_is_a_command(stage: Stage, ada: Person) -> None:
    """It is never trained as words; the person reads that the picture was not taken."""
    async with styled(stage, ada) as running:
        await ada.send_picture(picture(128, 128, 1), as_="document", caption="/sticker a fox --seed 4")
        await ada.wait_for("send it again without the command")
        await ada.wait_for("seed 4")
        await ada.send_picture(picture(128, 128, 2), as_="document", caption="/caption 1 a red triangle")
        await ada.wait_for("There is no picture 1")
        await ada.wait_for("send it again without the command")
        await ada.send_picture(picture(128, 128, 3), as_="document", caption="/frobnicate")
        await ada.wait_for("What is on picture 1?")
        assert await captions(running) == [None]


async def test_links_are_no_captions(stage: Stage, ada: Person) -> None:
    """A pack's link is not its picture's caption; words beside a link are."""
    async with styled(stage, ada) as running:
        await ada.send_picture(picture(128, 128, 1), as_="document")
        await ada.wait_for("What is on picture 1?")
        await ada.send("https://t.me/addstickers/SomePack")
        await ada.wait_for("no sticker pack called SomePack")
        await ada.send("look: www.example.org/x?y=1")
        await ada.wait_for("Picture 1: zuvix look:")
        await ada.send("http://example.org")
        await ada.wait_for("A link is no caption")
        await ada.send_picture(
            picture(128, 128, 2), as_="document", caption="t.me/addstickers/SomePack a fox"
        )
        await ada.wait_for("2 in all")
        assert await captions(running) == ["zuvix look:", "zuvix a fox"]


async def test_edited_words_are_the_caption(stage: Stage, ada: Person) -> None:
    """Of a picture, of a text that captioned one or several, of an album."""
    async with styled(stage, ada) as running:
        sent = await ada.send_picture(picture(128, 128, 1), as_="document", caption="a bleu kite")
        await ada.wait_for("zuvix a bleu kite")
        await ada.edit(sent, "a blue kite")
        await ada.wait_for("Picture 1: zuvix a blue kite")
        await ada.album([item(2), item(3)])
        await ada.wait_for("3 in all")
        words = await ada.send("a fxo\na dog")
        await ada.wait_for("zuvix a fxo")
        await ada.edit(words, "a fox\na dog")
        await ada.wait_for("Picture 2: zuvix a fox")
        album = await ada.album([item(4, "a cta\na cow"), item(5)])
        await ada.wait_for("5 in all")
        await ada.edit(album[0], "a cat\na cow")
        await ada.wait_for("Picture 4: zuvix a cat")
        command = await ada.send("/help")
        await ada.wait_for("Teach me a look")
        await ada.edit(command, "/samples")
        await ada.send("/status")
        await ada.wait_for("5 pictures")
        expected = ["a blue kite", "a fox", "a dog", "a cat", "a cow"]
        assert await captions(running) == [f"zuvix {words}" for words in expected]


async def test_the_same_picture_again_takes_its_new_words(stage: Stage, ada: Person) -> None:
    """It stays one picture."""
    async with styled(stage, ada) as running:
        sent = await ada.send_picture(picture(128, 128, 1), as_="document")
        await ada.wait_for("1 in all")
        for caption, told in (("a blue kite", "Picture 1: zuvix a blue kite"), ("x " * 200, "is too long")):
            content = {"document": sent.raw["document"], "caption": caption}
            stage.playground.world.say(ada.id, content, from_bot=False)
            await ada.wait_for(told)
        assert await captions(running) == ["zuvix a blue kite"]


async def test_two_albums_of_one_moment_share_their_lines(stage: Stage, ada: Person) -> None:
    """Telegram splits 12 pictures into 10 and 2; 12 lines are one for each."""
    async with styled(stage, ada) as running:
        lines = [f"a ball number {number}" for number in range(12)]
        await ada.album([item(n, "\n".join(lines) if n == 0 else "") for n in range(12)])
        await ada.wait_for("12 in all")
        assert await captions(running) == [f"zuvix {line}" for line in lines]


@pytest.mark.parametrize("text", ["<b>x</b>\n" * 3000, "y" * 9000, "<i>&lt;" + "z" * 9000 + "</i>"])
def test_every_text_fits_into_a_message(text: str) -> None:
    """Cut at whole lines, or plain where a single line is too long."""
    assert 1 < len(fitted(text)) <= 40_000
    assert fitted("a <b>short</b> one") == "a <b>short</b> one"
    shown = fitted(text)
    assert len(shown.replace("<b>", "").replace("</b>", "").replace("&lt;", "<")) <= 4096
    assert (start := Words("en", example_prompt="a fox")("start", name="x")) == fitted(start)
