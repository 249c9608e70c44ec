"""Texts while pictures wait for words: commands stay commands, numbers name pictures."""

from __future__ import annotations

import pytest

from bot.playground import Person
from tests.bot.conftest import Stage
from tests.bot.styled import captions, item, styled


async def test_plain_words_that_are_commands_are_no_captions(stage: Stage, ada: Person) -> None:
    """In any language, with and without a slash; in a reply to a picture they are its words."""
    async with styled(stage, ada) as running:
        sent = await ada.album([item(1), item(2)])
        await ada.wait_for("2 in all")
        for said, answer in (
            ("help", "Teach me a look"),
            ("Помощь!", "Teach me a look"),
            ("/статус", "Style zuvix"),
            ("/стикр", "Did you mean /sticker?"),
            ("/приэээ", "I do not know that command"),
            ("удали 1", "1 picture is left"),
            ("/отменить", "Taken back"),
            ("/удали 2", "1 picture is left"),
            ("/undo", "Taken back"),
        ):
            await ada.send(said)
            await ada.wait_for(answer)
        assert await captions(running) == [None, None]
        await ada.send("help", reply_to=sent[0])
        await ada.wait_for("Picture 1: zuvix help")


async def test_a_number_in_front_names_the_picture(stage: Stage, ada: Person) -> None:
    """ "2 coin" is for picture 2 if it waits; the answer says so, and how to mean the number as a word."""
    async with styled(stage, ada) as running:
        await ada.album([item(n) for n in range(4)])
        await ada.wait_for("4 in all")
        await ada.send("2 coin")
        told = await ada.wait_for("Picture 2: zuvix coin")
        assert "2: 2 coin" in told.text
        await ada.send("2 medal")  # one thing is not counted by 2, though picture 2 has words
        told = await ada.wait_for("Picture 2: zuvix medal")
        assert "2: 2 medal" in told.text
        await ada.send("2 монета")
        await ada.wait_for("Picture 2: zuvix a coin")
        await ada.send("2 foxes")
        told = await ada.wait_for("Picture 4: zuvix 2 foxes")
        assert "2: foxes" in told.text
        await ada.send("1:")
        await ada.wait_for("what is on picture 1")
        await ada.send("a red hat")
        await ada.wait_for("Picture 1: zuvix a red hat")
        assert await captions(running) == ["zuvix a red hat", "zuvix a coin", None, "zuvix 2 foxes"]
        await ada.send("3 a cup\n1 a hat")
        await ada.wait_for("Picture 3: zuvix a cup")
        assert await captions(running) == ["zuvix a hat", "zuvix a coin", "zuvix a cup", "zuvix 2 foxes"]


async def test_words_that_nobody_sees_are_none(stage: Stage, ada: Person) -> None:
    """As a caption, a prompt and a title; signs that turn words around are taken out of what they stand in."""
    async with styled(stage, ada) as running:
        await ada.album([item(1, "\u200b\u2060")])
        await ada.wait_for("Without words yet: 1")
        for said, told in (
            ("/sticker \u200b", "What shall I draw"),
            ("/packs new \u202e\u200b", "title"),
            ("\u202exof a", "stickers go into xof a"),
            ("\u202ea fox", "Picture 1: zuvix a fox"),
        ):
            await ada.send(said)
            assert "\u202e" not in (await ada.wait_for(told)).text
        assert await captions(running) == ["zuvix a fox"]


async def test_an_archive_of_another_kind_is_told(stage: Stage, ada: Person) -> None:
    """Zip is named."""
    async with styled(stage, ada):
        await ada.send_picture(b"Rar!", as_="document", name="set.rar")
        await ada.wait_for("read zip only")


@pytest.mark.parametrize("reply", [True, False])
async def test_a_list_for_new_pictures_changes_no_older_ones(stage: Stage, ada: Person, reply: bool) -> None:
    """ "1. school" counts the pictures that wait, or those that are replied to."""
    async with styled(stage, ada) as running:
        await ada.album([item(1, "1. a fox\n2. a cat"), item(2)])
        await ada.wait_for("2 in all")
        await ada.album([item(3), item(4)])
        told = await ada.wait_for("4 in all")
        await ada.send("1. a school\n2. a house", reply_to=told if reply else None)
        await ada.wait_for("Picture 4: zuvix a house")
        assert await captions(running) == ["zuvix a fox", "zuvix a cat", "zuvix a school", "zuvix a house"]


async def test_numbers_before_there_is_a_style_wait_for_it(stage: Stage, ada: Person) -> None:
    """As the pictures do, whose album has another number of lines."""
    async with stage.bot() as running:
        await ada.album([item(1, "a fox\na cat"), item(2), item(3)])
        await ada.wait_for("3 messages until then")
        for words, n in (("2 - a medal", 4), ("/caption 3 a cup", 5), ("1:", 6)):
            await ada.send(words)
            await ada.wait_for(f"{n} messages until then")
        await ada.send("/new zuvix")
        await ada.wait_for("what is on picture 1")
        await ada.send("a hat")
        await ada.wait_for("Picture 1: zuvix a hat")
        assert await captions(running) == ["zuvix a hat", "zuvix a medal", "zuvix a cup"]


async def test_an_edited_album_names_each_caption_that_has_changed(stage: Stage, ada: Person) -> None:
    """Of all its pictures, and no others."""
    async with styled(stage, ada) as running:
        sent = await ada.album([item(1, "a fox\na cat\na dog"), item(2), item(3)])
        await ada.wait_for("3 in all")
        await ada.edit(sent[0], "a fox\na hen\na cow")
        told = await ada.wait_for("Picture 2: zuvix a hen")
        assert told.text == "Picture 2: zuvix a hen\nPicture 3: zuvix a cow"
        assert await captions(running) == ["zuvix a fox", "zuvix a hen", "zuvix a cow"]
