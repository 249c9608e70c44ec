"""The Bot API's methods on messages, called by two libraries that know nothing of the playground."""

from __future__ import annotations

import io
from typing import Any

import aiogram
import httpx
import pytest
import telegram
from aiogram import types
from PIL import Image
from pydantic import BaseModel
from telegram.error import BadRequest, Forbidden, InvalidToken

from bot.playground import Person, Picture, Playground
from bot.playground.api import METHODS

from .conftest import Drawing


def check_known(value: Any) -> None:
    """No object holds a field that the Bot API does not have: aiogram keeps such ones apart as extras."""
    if isinstance(value, BaseModel):
        assert not value.model_extra, (type(value).__name__, value.model_extra)
        for name in type(value).model_fields:
            check_known(getattr(value, name))
    if isinstance(value, list):
        for item in value:
            check_known(item)


def file(data: bytes, name: str = "a.png") -> types.BufferedInputFile:
    return types.BufferedInputFile(data, name)


def keys(*data: str) -> types.InlineKeyboardMarkup:
    row = [types.InlineKeyboardButton(text=one, callback_data=one) for one in data]
    return types.InlineKeyboardMarkup(inline_keyboard=[row])


async def test_everything_sent_fits_typed_models(aio: aiogram.Bot, ada: Person, drawing: Drawing) -> None:
    """Every kind of message that a bot sends comes back as a complete Message without made-up fields."""
    png = drawing(300, 200, "PNG")
    photo = await aio.send_photo(ada.id, file(png), caption="<b>one</b>", parse_mode="HTML")
    sent = [
        photo,
        await aio.send_message(ada.id, "Hi", reply_markup=keys("a", "b")),
        await aio.send_document(
            ada.id, file(png, "x.png"), caption="two", reply_to_message_id=photo.message_id
        ),
        await aio.send_sticker(ada.id, file(drawing(), "s.webp"), emoji="🦊"),
        *await aio.send_media_group(
            ada.id,
            [types.InputMediaPhoto(media=file(png), caption="1"), types.InputMediaPhoto(media=file(png))],
        ),
    ]
    check_known(sent)
    assert [message.content_type for message in sent] == [
        "photo",
        "text",
        "document",
        "sticker",
        "photo",
        "photo",
    ]
    assert sent[4].media_group_id == sent[5].media_group_id is not None
    assert sent[2].reply_to_message is not None
    assert sent[2].reply_to_message.message_id == photo.message_id


async def test_everything_received_fits_typed_models(aio: aiogram.Bot, ada: Person, drawing: Drawing) -> None:
    """Texts, photos, stickers, files, albums, replies and presses reach the bot as complete updates."""
    await ada.send("text")
    for kind in ("photo", "sticker", "document"):
        sent = await ada.send_picture(drawing(100, 80, "PNG"), caption="c", as_=kind, emoji="🦊")
    await ada.album([Picture(data=drawing(90, 90, "PNG"), caption="x")] * 3)
    await ada.send("answer", reply_to=sent)
    await aio.send_message(ada.id, "press", reply_markup=keys("go"))
    await ada.press(await ada.wait_for("press"), "go")
    updates = await aio.get_updates()
    check_known(updates)
    assert len({update.update_id for update in updates}) == len(updates) == 10
    sticker, document = updates[3].message, updates[4].message
    assert sticker is not None
    assert document is not None
    assert sticker.sticker is not None
    assert sticker.caption is None  # stickers have none
    assert (sticker.sticker.emoji, sticker.sticker.width, sticker.sticker.height) == ("🦊", 512, 410)
    assert document.caption == "c"
    album = [update.message for update in updates[5:8]]
    assert len({message.media_group_id for message in album if message}) == 1
    assert updates[9].callback_query is not None
    assert updates[9].callback_query.data == "go"


async def test_commands_are_marked(aio: aiogram.Bot, ada: Person) -> None:
    """A command in a person's text is an entity, also after an emoji, counted in UTF-16 units."""
    await ada.send("🦊 /sticker a fox")
    update = (await aio.get_updates(offset=-1))[0]
    assert update.message is not None
    assert update.message.entities is not None
    entity = update.message.entities[0]
    assert (entity.type, entity.offset, entity.length) == ("bot_command", 3, 8)


async def test_photos_lose_alpha_and_come_in_sizes(ptb: telegram.Bot, ada: Person, drawing: Drawing) -> None:
    """A photo becomes JPEGs of several sizes; the bot can download each, and never gets the original."""
    await ada.send_picture(drawing(1600, 900, "PNG"))
    message = (await ptb.get_updates(offset=-1))[0].message
    assert message is not None
    assert [size.width for size in message.photo] == [90, 320, 800, 1280]
    for size in message.photo:
        data = await (await size.get_file()).download_as_bytearray()
        image = Image.open(io.BytesIO(bytes(data)))
        assert (image.format, image.mode, image.size) == ("JPEG", "RGB", (size.width, size.height))


async def test_documents_arrive_unchanged(ptb: telegram.Bot, ada: Person) -> None:
    """A file arrives byte for byte, with its name and type, however odd its name and content are."""
    await ada.send_picture(b"\x00 no picture", as_="document", name="../../so & so.png")
    message = (await ptb.get_updates(offset=-1))[0].message
    assert message is not None
    assert message.document is not None
    assert (message.document.file_name, message.document.mime_type) == ("so & so.png", "image/png")
    assert await (await message.document.get_file()).download_as_bytearray() == b"\x00 no picture"


async def test_files_can_be_sent_again_by_id(ptb: telegram.Bot, ada: Person, drawing: Drawing) -> None:
    """A file_id of any size of a photo, of a sticker or of a document sends it again; no other kind of it."""
    photo = await ptb.send_photo(ada.id, drawing(400, 300, "PNG"))
    again = await ptb.send_photo(ada.id, photo.photo[0].file_id)
    assert again.photo == photo.photo
    with pytest.raises(BadRequest, match=r"(?i)can't use file of type photo as sticker"):
        await ptb.send_sticker(ada.id, photo.photo[0].file_id)
    with pytest.raises(BadRequest, match=r"(?i)wrong remote file identifier"):
        await ptb.send_document(ada.id, "no-such-file")


async def test_text_is_edited_in_place(ptb: telegram.Bot, ada: Person) -> None:
    """An edit is one message that changes; leaving out the keyboard takes it away, as in Telegram."""
    markup = telegram.InlineKeyboardMarkup.from_button(
        telegram.InlineKeyboardButton("Stop", callback_data="stop")
    )
    message = await ptb.send_message(ada.id, "1 of 2", reply_markup=markup)
    edited = await message.edit_text("2 of 2", reply_markup=markup)
    assert isinstance(edited, telegram.Message)
    assert (edited.message_id, edited.edit_date is None) == (message.message_id, False)
    with pytest.raises(BadRequest, match=r"(?i)message is not modified"):
        await message.edit_text("2 of 2", reply_markup=markup)
    await message.edit_text("2 of 2")
    seen = await ada.wait_for("2 of 2")
    await ada.read()
    assert [(m.text, m.buttons) for m in ada.messages if m.from_bot] == [("2 of 2", ())]
    assert seen.edited


async def test_captions_media_and_keyboards_are_edited(
    ptb: telegram.Bot, ada: Person, drawing: Drawing
) -> None:
    """A photo's caption, keyboard and the picture itself can be changed, each alone."""
    message = await ptb.send_photo(ada.id, drawing(200, 200, "PNG"), caption="old")
    edited = await message.edit_caption("new")
    assert isinstance(edited, telegram.Message)
    assert edited.caption == "new"
    markup = telegram.InlineKeyboardMarkup.from_button(telegram.InlineKeyboardButton("A", callback_data="a"))
    edited = await message.edit_reply_markup(markup)
    assert isinstance(edited, telegram.Message)
    assert edited.caption == "new"
    media = telegram.InputMediaPhoto(drawing(300, 100, "PNG"), caption="other")
    changed = await message.edit_media(media)
    assert isinstance(changed, telegram.Message)
    assert (changed.photo[-1].width, changed.caption) == (300, "other")
    with pytest.raises(BadRequest, match=r"(?i)there is no text in the message to edit"):
        await message.edit_text("x")


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("", "message text is empty"),
        (" \n ", "message text is empty"),
        ("x" * 4097, "message is too long"),
        ("<b>x", "can't parse entities: can't find end tag corresponding to start tag \"b\""),
        ("a < b", "can't parse entities: unsupported start tag"),
        ("<blink>x</blink>", 'can\'t parse entities: unsupported start tag "blink" at byte offset 0'),
    ],
)
async def test_texts_that_are_refused(ptb: telegram.Bot, ada: Person, text: str, error: str) -> None:
    """Empty, too long and malformed texts are refused in Telegram's words."""
    with pytest.raises(BadRequest) as refused:
        await ptb.send_message(ada.id, text, parse_mode="HTML")
    assert error in refused.value.message.lower()


async def test_button_data_has_at_most_64_bytes(ptb: telegram.Bot, ada: Person) -> None:
    """64 bytes of callback_data pass; one character more than fits into them does not."""
    for data, fits in (("é" * 32, True), ("é" * 32 + "x", False)):
        markup = telegram.InlineKeyboardMarkup.from_button(
            telegram.InlineKeyboardButton("b", callback_data=data)
        )
        if fits:
            await ptb.send_message(ada.id, "x", reply_markup=markup)
            continue
        with pytest.raises(BadRequest, match=r"(?i)button_data_invalid"):
            await ptb.send_message(ada.id, "x", reply_markup=markup)


async def test_a_press_is_answered_once_and_soon(
    ptb: telegram.Bot, ada: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first answer to a press reaches the person; a second, a late and an invented one are refused."""
    markup = telegram.InlineKeyboardMarkup.from_button(
        telegram.InlineKeyboardButton("Go", callback_data="go")
    )
    message = await ptb.send_message(ada.id, "x", reply_markup=markup)
    shown = await ada.wait_for("x")
    query_id = await ada.press(shown, "Go")
    assert await ptb.answer_callback_query(query_id, "Done")
    assert await ada.wait_for_notice() == "Done"
    late = await ada.press(shown, "go")
    monkeypatch.setattr("bot.playground.limits.CALLBACK_SECONDS", -1.0)
    for stale in (query_id, "123", late):
        with pytest.raises(BadRequest, match=r"(?i)query is too old"):
            await ptb.answer_callback_query(stale)
    assert message.message_id == shown.id


async def test_a_bot_cannot_write_first_nor_to_who_blocked_it(
    playground: Playground, ptb: telegram.Bot
) -> None:
    """A person must have started the bot, and can block it; writing to it again ends the block."""
    async with Person.join(playground.address, "Bob") as bob:
        with pytest.raises(BadRequest, match=r"(?i)chat not found"):
            await ptb.send_message(bob.id, "psst")
        await bob.send("/start")
        await bob.block()
        with pytest.raises(Forbidden, match=r"(?i)bot was blocked by the user"):
            await ptb.send_message(bob.id, "psst")
        await bob.send("sorry")
        await ptb.send_message(bob.id, "no harm done")


async def test_messages_are_deleted_for_both(ptb: telegram.Bot, ada: Person) -> None:
    """A deleted message is gone from the person's chat too; there is nothing to delete a second time."""
    message = await ptb.send_message(ada.id, "x")
    await ada.wait_for("x")
    assert await message.delete()
    await ada.read()
    assert not [m for m in ada.messages if m.from_bot]
    with pytest.raises(BadRequest, match=r"(?i)message to delete not found"):
        await message.delete()
    assert await ptb.delete_messages(ada.id, [message.message_id, 1])


async def test_get_file_stops_at_20_mb(ptb: telegram.Bot, ada: Person) -> None:
    """A bot may be sent a file over 20 MB but not download it."""
    message = await ada.send_picture(bytes((20 << 20) + 1), as_="document", name="big.bin")
    with pytest.raises(BadRequest, match=r"(?i)file is too big"):
        await ptb.get_file(str(message.file_id))


async def test_photos_are_judged_before_they_are_decoded(ptb: telegram.Bot, ada: Person) -> None:
    """A picture of 20,000 x 20,000 px is refused by its header; so are files that are no pictures."""
    out = io.BytesIO()
    Image.new("1", (20_000, 20_000)).save(out, "PNG")
    with pytest.raises(BadRequest, match=r"(?i)photo_invalid_dimensions"):
        await ptb.send_photo(ada.id, out.getvalue())
    for broken in (b"hello", out.getvalue()[:40]):
        with pytest.raises(BadRequest, match=r"(?i)image_process_failed|photo_invalid_dimensions"):
            await ptb.send_photo(ada.id, broken)


async def test_the_bots_profile(ptb: telegram.Bot, aio: aiogram.Bot, playground: Playground) -> None:
    """The bot's commands and descriptions come back as set, and the page gets them."""
    check_known(await aio.get_me())
    await ptb.set_my_commands([("start", "begin"), ("sticker", "draw")])
    assert [c.command for c in await ptb.get_my_commands()] == ["start", "sticker"]
    with pytest.raises(BadRequest, match=r"(?i)bot_command_invalid"):
        await ptb.set_my_commands([("No Capitals", "x")])
    await ptb.set_my_description("Learns your style")
    assert (await aio.get_my_description()).description == "Learns your style"
    async with Person.join(playground.address) as bob:
        assert (await bob.bot())["commands"][1]["command"] == "sticker"


async def test_tokens_and_methods_must_exist(playground: Playground) -> None:
    """A wrong token is 401, a method that is missing here is 404 and never a made-up success."""
    async with httpx.AsyncClient() as http:
        answer = await http.get(f"{playground.api_url}1:wrong/getMe")
    assert answer.json() == {"ok": False, "error_code": 401, "description": "Unauthorized"}
    assert answer.status_code == 401
    async with telegram.Bot(playground.token, playground.api_url) as bot:
        with pytest.raises(InvalidToken):  # what python-telegram-bot makes of any 404
            await bot.send_dice(1)


async def test_methods_are_those_of_telegram() -> None:
    """Every method here is one of Telegram's, by its exact name."""
    known = {name.lower() for name in aiogram.methods.__all__}
    assert set(METHODS) <= known


async def test_albums_are_of_one_kind_and_2_to_10(ptb: telegram.Bot, ada: Person, drawing: Drawing) -> None:
    """Albums of one item and mixed albums are refused."""
    photo, document = telegram.InputMediaPhoto(drawing()), telegram.InputMediaDocument(drawing())
    albums: list[list[telegram.InputMediaPhoto | telegram.InputMediaDocument]] = [[photo], [photo, document]]
    for wrong in albums:
        with pytest.raises(BadRequest, match=r"(?i)wrong number of items|can't be mixed"):
            await ptb.send_media_group(ada.id, wrong)


async def test_json_bodies_are_read_too(playground: Playground, ada: Person) -> None:
    """A method can be called with a JSON body and with a query string, as Telegram allows."""
    keyboard = {"inline_keyboard": [[{"text": "u", "url": "https://a.b"}]]}
    body = {"chat_id": ada.id, "text": "json", "reply_markup": keyboard}
    query = {"chat_id": str(ada.id), "text": "query"}
    async with httpx.AsyncClient(base_url=f"{playground.api_url}{playground.token}") as http:
        answers = [await http.post("/sendMessage", json=body), await http.get("/sendmessage", params=query)]
    assert [answer.json()["result"]["text"] for answer in answers] == ["json", "query"]
    assert answers[0].json()["result"]["reply_markup"] == keyboard


@pytest.mark.parametrize(
    ("method", "params"),
    [
        ("sendMessage", {"chat_id": "ada", "text": "x"}),
        ("sendMessage", {"text": "x"}),
        ("sendMessage", {"chat_id": 1, "text": "x", "reply_markup": "{"}),
        ("deleteMessages", {"chat_id": 1, "message_ids": '["x"]'}),
        ("sendMediaGroup", {"chat_id": 1, "media": '{"a": 1}'}),
        ("addStickerToSet", {"user_id": 1, "name": "x", "sticker": "no JSON"}),
        ("setMyCommands", {"commands": '["start"]'}),
        ("editMessageText", {"chat_id": 1, "text": "x"}),
        ("getFile", {}),
    ],
)
async def test_malformed_parameters_are_400(
    playground: Playground, method: str, params: dict[str, str]
) -> None:
    """Whatever nonsense is sent, the answer is a refusal in Telegram's form."""
    async with httpx.AsyncClient() as http:
        answer = await http.post(f"{playground.api_url}{playground.token}/{method}", data=params)
    assert answer.status_code == answer.json()["error_code"] == 400
    assert answer.json()["description"].startswith("Bad Request: ")
