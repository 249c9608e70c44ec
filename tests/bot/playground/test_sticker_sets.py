"""Sticker sets: Telegram's rules and its error texts, through both libraries."""

from __future__ import annotations

import io
import random

import aiogram
import pytest
import telegram
from aiogram import types
from PIL import Image
from telegram import InputSticker
from telegram.error import BadRequest, TelegramError

from bot.playground import Person, Playground

from .conftest import Drawing
from .test_bot_api import check_known


def static(data: bytes | str, *emoji: str, keywords: list[str] | None = None) -> InputSticker:
    return InputSticker(data, list(emoji) or ["🦊"], "static", keywords=keywords)


async def make(ptb: telegram.Bot, owner: int, *stickers: InputSticker, name: str = "pack") -> str:
    full = f"{name}_by_{(await ptb.get_me()).username}"
    assert await ptb.create_new_sticker_set(owner, full, "Ada's pack", list(stickers))
    return full


async def test_a_pack_from_first_to_last(aio: aiogram.Bot, ada: Person, drawing: Drawing) -> None:
    """A set is created, filled, described, reordered, renamed and deleted, and each step shows in it."""
    name = f"pack_by_{(await aio.get_me()).username}"

    def sticker(colour: str, *emoji: str) -> types.InputSticker:
        data = types.BufferedInputFile(drawing(colour=colour), "s.webp")
        return types.InputSticker(sticker=data, format="static", emoji_list=list(emoji), keywords=["round"])

    assert await aio.create_new_sticker_set(ada.id, name, "Discs", [sticker("red", "🔴", "❤️")])
    assert await aio.add_sticker_to_set(ada.id, name, sticker("blue", "🔵"))
    pack = await aio.get_sticker_set(name)
    check_known(pack)
    assert [one.emoji for one in pack.stickers] == ["🔴", "🔵"]
    red, blue = pack.stickers
    assert await aio.set_sticker_position_in_set(blue.file_id, 0)
    assert await aio.set_sticker_emoji_list(blue.file_id, ["💙"])
    assert await aio.set_sticker_keywords(blue.file_id, ["sea", "sky"])
    assert await aio.set_sticker_set_title(name, "Balls")
    assert await aio.replace_sticker_in_set(ada.id, name, red.file_id, sticker("green", "🟢"))
    pack = await aio.get_sticker_set(name)
    assert (pack.title, [one.emoji for one in pack.stickers]) == ("Balls", ["💙", "🟢"])
    assert (await ada.pack(name))["stickers"][0]["keywords"] == ["sea", "sky"]
    thumbnail = types.BufferedInputFile(drawing(100, 100), "t.webp")
    assert await aio.set_sticker_set_thumbnail(name, ada.id, "static", thumbnail)
    pack = await aio.get_sticker_set(name)
    assert pack.thumbnail is not None
    assert await aio.delete_sticker_from_set(blue.file_id)
    assert await aio.delete_sticker_from_set(pack.stickers[1].file_id)
    assert (await aio.get_sticker_set(name)).stickers == []  # empty and still there
    assert await aio.delete_sticker_set(name)
    assert await ada.packs() == []


async def test_stickers_in_a_set_have_ids_of_their_own(
    ptb: telegram.Bot, ada: Person, drawing: Drawing
) -> None:
    """The uploaded file's file_unique_id is not that of the sticker in the set."""
    uploaded = await ptb.upload_sticker_file(ada.id, drawing(), "static")
    name = await make(ptb, ada.id, static(uploaded.file_id))
    (sticker,) = (await ptb.get_sticker_set(name)).stickers
    assert uploaded.file_unique_id != sticker.file_unique_id
    assert sticker.set_name == name
    data = await (await sticker.get_file()).download_as_bytearray()
    assert Image.open(io.BytesIO(bytes(data))).size == (512, 512)


async def test_the_same_sticker_again_changes_nothing(
    ptb: telegram.Bot, ada: Person, drawing: Drawing
) -> None:
    """Adding one uploaded file twice is True twice and one sticker; so is adding a set's own sticker.

    The same bytes uploaded anew are another file: a bot that retries blindly does add them twice.
    """
    uploaded = await ptb.upload_sticker_file(ada.id, drawing(), "static")
    name = await make(ptb, ada.id, static(uploaded.file_id))
    assert await ptb.add_sticker_to_set(ada.id, name, static(uploaded.file_id))
    (own,) = (await ptb.get_sticker_set(name)).stickers
    assert await ptb.add_sticker_to_set(ada.id, name, static(own.file_id))
    assert len((await ptb.get_sticker_set(name)).stickers) == 1
    assert await ptb.add_sticker_to_set(ada.id, name, static(drawing()))
    assert len((await ptb.get_sticker_set(name)).stickers) == 2


@pytest.mark.parametrize(
    "name",
    [
        "pack",
        "1pack_by_{}",
        "_pack_by_{}",
        "a__b_by_{}",
        "päck_by_{}",
        "x" * 50 + "_by_{}",
        "_by_{}",
        "../x_by_{}",
    ],
)
async def test_names_that_are_invalid(ptb: telegram.Bot, ada: Person, drawing: Drawing, name: str) -> None:
    """A name begins with a letter, has no two underscores in a row, and ends in _by_ and the bot."""
    full = name.format((await ptb.get_me()).username)
    with pytest.raises(BadRequest, match=r"(?i)invalid sticker set name is specified"):
        await ptb.create_new_sticker_set(ada.id, full, "x", [static(drawing())])


async def test_a_name_is_taken_in_any_case(ptb: telegram.Bot, ada: Person, drawing: Drawing) -> None:
    """A name exists once, whatever the case of its letters."""
    await make(ptb, ada.id, static(drawing()), name="pack")
    with pytest.raises(BadRequest, match=r"(?i)sticker set name is already occupied"):
        await make(ptb, ada.id, static(drawing()), name="PACK")


async def test_50_at_creation_120_in_all(ptb: telegram.Bot, ada: Person, drawing: Drawing) -> None:
    """51 at once are too many; the 121st is refused, and the set keeps its 120."""
    ids = [(await ptb.upload_sticker_file(ada.id, drawing(), "static")).file_id for _ in range(121)]
    with pytest.raises(BadRequest, match=r"(?i)too many stickers specified"):
        await make(ptb, ada.id, *map(static, ids[:51]))
    name = await make(ptb, ada.id, *map(static, ids[:50]))
    for one in ids[50:120]:
        await ptb.add_sticker_to_set(ada.id, name, static(one))
    with pytest.raises(BadRequest, match=r"(?i)stickers_too_much"):
        await ptb.add_sticker_to_set(ada.id, name, static(ids[120]))
    assert len((await ptb.get_sticker_set(name)).stickers) == 120


def noise(side: int) -> bytes:
    """A PNG that does not compress: over 512 KiB at 512 px."""
    image = Image.frombytes("RGB", (side, side), random.Random(0).randbytes(side * side * 3))
    out = io.BytesIO()
    image.save(out, "PNG")
    return out.getvalue()


@pytest.mark.parametrize(
    ("size", "format", "error"),
    [
        ((511, 511), "WEBP", "sticker_png_dimensions"),
        ((513, 512), "PNG", "sticker_png_dimensions"),
        ((20_000, 20_000), "PNG", "sticker_png_dimensions|image_process_failed|photo_invalid_dimensions"),
        ((512, 512), "JPEG", "sticker_png_nopng"),
    ],
)
async def test_pictures_that_are_no_stickers(
    ptb: telegram.Bot, ada: Person, size: tuple[int, int], format: str, error: str
) -> None:
    """One side is exactly 512 px and none is longer; PNG or WebP."""
    out = io.BytesIO()
    Image.new("1" if max(size) > 1000 else "RGB", size).save(out, format)
    with pytest.raises(BadRequest, match=rf"(?i){error}"):
        await ptb.upload_sticker_file(ada.id, out.getvalue(), "static")


async def test_stickers_weigh_at_most_512_kib(ptb: telegram.Bot, ada: Person, drawing: Drawing) -> None:
    """A heavier file is refused; one side shorter than 512 px is fine."""
    with pytest.raises(BadRequest, match=r"(?i)file is too big"):
        await ptb.upload_sticker_file(ada.id, noise(512), "static")
    await make(ptb, ada.id, static(drawing(512, 100, "PNG")))


async def test_broken_files_are_refused(ptb: telegram.Bot, ada: Person, drawing: Drawing) -> None:
    """Cut-off and empty files never become stickers."""
    for data in (drawing()[:100], drawing(format="PNG")[:-200], b"text"):
        with pytest.raises(BadRequest):
            await ptb.upload_sticker_file(ada.id, data, "static")


@pytest.mark.parametrize("emoji", [[], ["fox"], ["🦊🦊"], ["🦊"] * 21, ["🦊", ""], ["👨‍"]])
async def test_emoji_must_be_emoji(
    ptb: telegram.Bot, ada: Person, drawing: Drawing, emoji: list[str]
) -> None:
    """1-20 real emoji, each in a string of its own; a torn sequence is none."""
    with pytest.raises(BadRequest, match=r"(?i)invalid sticker emojis"):
        await make(ptb, ada.id, InputSticker(drawing(), emoji, "static"))


async def test_emoji_sequences_pass(ptb: telegram.Bot, ada: Person, drawing: Drawing) -> None:
    """Families, flags and skin tones are one emoji each."""
    await make(ptb, ada.id, static(drawing(), "👨‍👩‍👧", "🇫🇷", "👍🏽", "❤️"))


async def test_keywords_total_64_characters(ptb: telegram.Bot, ada: Person, drawing: Drawing) -> None:
    """All keywords together have at most 64 characters, and there are at most 20."""
    name = await make(ptb, ada.id, static(drawing(), keywords=["x" * 32, "y" * 32]))
    (sticker,) = (await ptb.get_sticker_set(name)).stickers
    for wrong in (["x" * 32, "y" * 33], ["a"] * 21):
        with pytest.raises(BadRequest):
            await ptb.set_sticker_keywords(sticker.file_id, wrong)


async def test_owners_must_have_started_the_bot(
    playground: Playground, ptb: telegram.Bot, drawing: Drawing
) -> None:
    """Nobody who never talked to the bot owns a pack, nor does the bot itself."""
    async with Person.join(playground.address, "Bob") as bob:
        with pytest.raises(BadRequest, match=r"(?i)user not found"):
            await make(ptb, bob.id, static(drawing()))
        with pytest.raises(BadRequest, match=r"(?i)user_is_bot"):
            await make(ptb, playground.world.bot.id, static(drawing()))


async def test_sets_and_files_that_do_not_exist(ptb: telegram.Bot, ada: Person, drawing: Drawing) -> None:
    """Unknown sets, stickers outside of sets and missing parts have errors of their own."""
    with pytest.raises(BadRequest, match=r"(?i)stickerset_invalid"):
        await ptb.get_sticker_set("nobody_knows")
    with pytest.raises(BadRequest, match=r"(?i)stickerset_invalid"):
        await ptb.add_sticker_to_set(ada.id, "nobody_knows", static(drawing()))
    loose = await ptb.upload_sticker_file(ada.id, drawing(), "static")
    with pytest.raises(BadRequest, match=r"(?i)stickerset_invalid"):
        await ptb.delete_sticker_from_set(loose.file_id)
    with pytest.raises(TelegramError, match=r"(?i)sticker not found"):
        await make(ptb, ada.id, static("attach://missing"))
    with pytest.raises(BadRequest, match=r"(?i)invalid sticker format specified"):
        await make(ptb, ada.id, InputSticker(drawing(), ["🦊"], "PNG"))


async def test_another_persons_pack_is_not_hers(
    playground: Playground, ptb: telegram.Bot, ada: Person, drawing: Drawing
) -> None:
    """A sticker is added for the owner only."""
    name = await make(ptb, ada.id, static(drawing()))
    async with Person.join(playground.address, "Bob") as bob:
        await bob.send("/start")
        with pytest.raises(BadRequest, match=r"(?i)stickerset_invalid"):
            await ptb.add_sticker_to_set(bob.id, name, static(drawing()))


async def test_send_sticker_takes_webp_only(ptb: telegram.Bot, ada: Person, drawing: Drawing) -> None:
    """sendSticker uploads WebP only, as documented; a set's sticker is sent by id with its set's name."""
    with pytest.raises(BadRequest, match=r"(?i)wrong file type"):
        await ptb.send_sticker(ada.id, drawing(format="PNG"))
    name = await make(ptb, ada.id, static(drawing(), "🐙"))
    (sticker,) = (await ptb.get_sticker_set(name)).stickers
    sent = await ptb.send_sticker(ada.id, sticker.file_id)
    assert sent.sticker is not None
    assert (sent.sticker.set_name, sent.sticker.emoji) == (name, "🐙")


async def test_custom_emoji_are_100_px_and_have_ids(
    aio: aiogram.Bot, ptb: telegram.Bot, ada: Person, drawing: Drawing
) -> None:
    """A set of custom emoji takes 100 x 100 px only, a regular one never; its thumbnail is one of its own."""
    name = f"emoji_by_{(await ptb.get_me()).username}"
    small = static(drawing(100, 100), "🔴")
    with pytest.raises(BadRequest, match=r"(?i)sticker_png_dimensions"):
        await ptb.create_new_sticker_set(
            ada.id, name, "Emoji", [static(drawing())], sticker_type="custom_emoji"
        )
    uploaded = await ptb.upload_sticker_file(ada.id, drawing(100, 100, colour="blue"), "static")
    await ptb.create_new_sticker_set(ada.id, name, "Emoji", [small], sticker_type="custom_emoji")
    assert await ptb.add_sticker_to_set(ada.id, name, static(uploaded.file_id, "🔵"))
    pack = await aio.get_sticker_set(name)
    check_known(pack)
    assert pack.sticker_type == "custom_emoji"
    assert {one.type for one in pack.stickers} == {"custom_emoji"}
    ids = [str(one.custom_emoji_id) for one in pack.stickers]
    found = await aio.get_custom_emoji_stickers([ids[1], "12345"])
    assert [one.file_unique_id for one in found] == [pack.stickers[1].file_unique_id]
    assert await aio.set_custom_emoji_sticker_set_thumbnail(name, custom_emoji_id=ids[1])
    assert (await aio.get_sticker_set(name)).thumbnail is not None
    assert await aio.set_custom_emoji_sticker_set_thumbnail(name)
    assert (await aio.get_sticker_set(name)).thumbnail is None
    regular = await make(ptb, ada.id, static(drawing()), name="regular")
    with pytest.raises(BadRequest, match=r"(?i)sticker_png_dimensions"):
        await ptb.add_sticker_to_set(ada.id, regular, small)
    with pytest.raises(BadRequest, match=r"(?i)stickerset_invalid"):
        await ptb.set_custom_emoji_sticker_set_thumbnail(regular, ids[0])


async def test_a_replaced_sticker_gives_its_place(ptb: telegram.Bot, ada: Person, drawing: Drawing) -> None:
    """The new one stands where the old one stood, with ids and emoji of its own; the old one is in no set."""
    name = await make(ptb, ada.id, static(drawing(colour="red")), static(drawing(colour="blue")))
    red, blue = (await ptb.get_sticker_set(name)).stickers
    assert await ptb.replace_sticker_in_set(ada.id, name, red.file_id, static(drawing(colour="green"), "🟢"))
    green, other = (await ptb.get_sticker_set(name)).stickers
    assert other.file_unique_id == blue.file_unique_id
    assert green.emoji == "🟢"
    assert green.file_unique_id != red.file_unique_id
    for call in (ptb.delete_sticker_from_set(red.file_id), ptb.set_sticker_position_in_set(red.file_id, 0)):
        with pytest.raises(BadRequest, match=r"(?i)stickerset_invalid"):
            await call


async def test_titles_positions_and_thumbnails_have_limits(
    ptb: telegram.Bot, ada: Person, drawing: Drawing
) -> None:
    """1-64 characters, a place in the set, exactly 100 x 100 px."""
    name = await make(ptb, ada.id, static(drawing()))
    (one,) = (await ptb.get_sticker_set(name)).stickers
    for title in ("", "x" * 65):
        with pytest.raises(BadRequest, match=r"(?i)title"):
            await ptb.set_sticker_set_title(name, title)
    with pytest.raises(BadRequest, match=r"(?i)position"):
        await ptb.set_sticker_position_in_set(one.file_id, 1)
    with pytest.raises(BadRequest, match=r"(?i)thumb"):
        await ptb.set_sticker_set_thumbnail(name, ada.id, "static", drawing(99, 100))
