"""What the bot says to people: texts, edits, pictures, stickers; all of it paced."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from telegram import (
    Bot,
    InlineKeyboardButton,
    InlineKeyboardMarkup,
    InlineQueryResultCachedSticker,
    InlineQueryResultsButton,
    InputFile,
    InputMediaPhoto,
    LinkPreviewOptions,
    Message,
    ReplyParameters,
    StickerSet,
)
from telegram.constants import ParseMode
from telegram.error import BadRequest, NetworkError, RetryAfter, TelegramError

from bot import start_links
from bot.errors import Buttons, UserError
from bot.rate_limit import RateLimiter
from bot.words import fitted

log = logging.getLogger(__name__)

INLINE_SECONDS = 5  # that Telegram may show an answer again: the person may draw another sticker meanwhile
SECONDS = 60.0  # an upload, or a sticker call, may take Telegram this long
PHOTO_BYTES = 10 << 20  # the largest file that Telegram takes as a photo
PHOTO_SIDE = 2000  # px; Telegram shrinks photos to 1280, and a larger one would lose its details


class SentSticker(NamedTuple):
    """A sticker in a chat. With ``file_id`` it can be shown again without an upload."""

    message_id: int
    file_id: str | None


class Sender:
    """Writes to people. Texts are HTML, as ``Words`` makes them. Ids are Telegram's message ids."""

    def __init__(self, bot: Bot, rate_limiter: RateLimiter) -> None:
        self._bot = bot
        self._paced = rate_limiter

    async def text(
        self, person: int, text: str, *, buttons: Buttons | None = None, reply_to: int | None = None
    ) -> int:
        """Send a text; gives its message id."""

        async def write() -> int:
            sent = await self._bot.send_message(
                person,
                fitted(text),
                parse_mode=ParseMode.HTML,
                reply_markup=keyboard(buttons),
                reply_parameters=_reply(reply_to),
                link_preview_options=LinkPreviewOptions(is_disabled=True),
            )
            return sent.message_id

        return await self._paced(person, write)

    async def edit(self, person: int, message_id: int, text: str, *, buttons: Buttons | None = None) -> bool:
        """Put a text in an old one's place; False if that message cannot be edited any more."""

        async def write() -> object:
            return await self._bot.edit_message_text(
                fitted(text),
                chat_id=person,
                message_id=message_id,
                parse_mode=ParseMode.HTML,
                reply_markup=keyboard(buttons),
                link_preview_options=LinkPreviewOptions(is_disabled=True),
            )

        return await self._edited(person, write)

    async def edit_buttons(self, person: int, message_id: int, buttons: Buttons | None) -> bool:
        """Change only the buttons below a message; False if it cannot be edited any more."""

        async def write() -> object:
            return await self._bot.edit_message_reply_markup(
                chat_id=person, message_id=message_id, reply_markup=keyboard(buttons)
            )

        return await self._edited(person, write)

    async def sticker(
        self, person: int, data: bytes, *, buttons: Buttons | None = None, reply_to: int | None = None
    ) -> SentSticker:
        """Send a WebP as a real sticker."""

        async def write() -> SentSticker:
            sent = await self._bot.send_sticker(
                person,
                InputFile(data, filename="sticker.webp"),
                reply_markup=keyboard(buttons),
                reply_parameters=_reply(reply_to),
                write_timeout=SECONDS,
                read_timeout=SECONDS,
            )
            return SentSticker(sent.message_id, sent.sticker.file_id if sent.sticker else None)

        return await self._paced(person, write)

    async def photo(self, person: int, data: bytes, caption: str, *, buttons: Buttons | None = None) -> int:
        """Send a picture as a photo, with a caption of at most 1024 characters."""
        file = InputFile(data, filename="picture.jpg")
        return await self._captioned(self._bot.send_photo, person, file, caption, buttons)

    async def sheet(self, person: int, data: bytes, caption: str, *, buttons: Buttons | None = None) -> int:
        """Send a PNG with a caption: as a photo, or as a file where a photo would lose its details."""
        if len(data) > PHOTO_BYTES or max(_size(data)) > PHOTO_SIDE:
            file = InputFile(data, filename="looks.png")
            return await self._captioned(self._bot.send_document, person, file, caption, buttons)
        return await self.photo(person, data, caption, buttons=buttons)

    async def document(self, person: int, path: Path, name: str) -> int:
        """Send a file of at most 50 MB, read from the disk while it is sent."""

        async def write() -> int:
            with path.open("rb") as file:
                sent = await self._bot.send_document(
                    person,
                    InputFile(file, filename=name, read_file_handle=False),
                    disable_content_type_detection=True,
                    write_timeout=SECONDS,
                    read_timeout=SECONDS,
                )
            return sent.message_id

        return await self._paced(person, write)

    async def _captioned(
        self,
        send: Callable[..., Awaitable[Message]],
        person: int,
        file: InputFile,
        caption: str,
        buttons: Buttons | None,
    ) -> int:
        async def write() -> int:
            sent = await send(
                person,
                file,
                caption=caption,
                parse_mode=ParseMode.HTML,
                reply_markup=keyboard(buttons),
                write_timeout=SECONDS,
                read_timeout=SECONDS,
            )
            return sent.message_id

        return await self._paced(person, write)

    async def edit_caption(
        self, person: int, message_id: int, caption: str, *, buttons: Buttons | None = None
    ) -> bool:
        """Change a picture's caption and buttons; False if it cannot be edited any more."""

        async def write() -> object:
            return await self._bot.edit_message_caption(
                chat_id=person,
                message_id=message_id,
                caption=caption,
                parse_mode=ParseMode.HTML,
                reply_markup=keyboard(buttons),
            )

        return await self._edited(person, write)

    async def edit_photo(
        self, person: int, message_id: int, data: bytes, caption: str, *, buttons: Buttons | None = None
    ) -> bool:
        """Put another picture and caption in a photo's place; False if it cannot be edited any more."""

        async def write() -> object:
            file = InputFile(data, filename="picture.jpg", attach=True)
            return await self._bot.edit_message_media(
                InputMediaPhoto(file, caption, parse_mode=ParseMode.HTML),
                chat_id=person,
                message_id=message_id,
                reply_markup=keyboard(buttons),
                write_timeout=SECONDS,
                read_timeout=SECONDS,
            )

        return await self._edited(person, write)

    async def answer(self, press_id: str, text: str = "") -> None:
        """Answer a button press; too late is no error, and one too many is not worth a wait."""
        try:
            await self._bot.answer_callback_query(press_id, text[:200] or None)
        except RetryAfter:
            return
        except BadRequest as error:
            if "query is too old" not in str(error).lower():
                raise

    async def text_once(self, person: int, text: str) -> None:
        """Send a text to a stranger: not paced, tried once, and nothing is remembered of it."""
        await _once(self._bot.send_message(person, text, parse_mode=ParseMode.HTML))

    async def answer_once(self, press_id: str, text: str) -> None:
        """Answer a stranger's press, tried once."""
        await _once(self._bot.answer_callback_query(press_id, text[:200] or None, show_alert=bool(text)))

    async def answer_inline_with_nothing(self, query_id: str) -> None:
        """Give no results to a stranger's inline query. Telegram itself answers their next ones for a while."""
        await _once(self._bot.answer_inline_query(query_id, [], cache_time=300, is_personal=True))

    def start_link(self, prefix: str, token: str) -> str:
        """A link that starts this bot: see ``bot.start_links``."""
        return start_links.link(self._bot.username, prefix, token)

    async def answer_inline(
        self, query_id: str, stickers: Sequence[tuple[str, str]], *, next_offset: str, button: tuple[str, str]
    ) -> None:
        """Answer an inline query with stickers, each an id and a file id, for this person alone.

        ``button`` is a label and the parameter of /start. An answer that comes too late is no error.
        """
        label, parameter = button
        try:
            await self._bot.answer_inline_query(
                query_id,
                [InlineQueryResultCachedSticker(id, file_id) for id, file_id in stickers],
                cache_time=INLINE_SECONDS,
                is_personal=True,
                next_offset=next_offset,
                button=InlineQueryResultsButton(label, start_parameter=parameter),
            )
        except RetryAfter:
            return
        except BadRequest as error:
            if "query is too old" not in str(error).lower():
                raise

    @property
    def username(self) -> str:
        """The bot's, without @."""
        return self._bot.username

    @property
    def answers_inline(self) -> bool:
        """Whether @BotFather has turned inline queries on for this bot."""
        return bool(self._bot.supports_inline_queries)

    def link(self, parameter: str) -> str:
        """Opens the private chat; pressing Start there sends ``/start parameter``."""
        return f"https://t.me/{self.username}?start={parameter}"

    async def download(self, person: int, file_id: str) -> bytes:
        """The bytes of a file, at most 20 MB. Raises Held while Telegram asks to wait, and BadRequest."""

        async def fetch() -> bytes:
            file = await self._bot.get_file(file_id)
            data = bytes(await file.download_as_bytearray(read_timeout=SECONDS))
            if data[:1] == b"<" and len(data) != file.file_size:
                raise NetworkError("a page in place of the file")  # a proxy's, under code 200
            return data

        return await self._paced.at_once(person, "getFile", fetch)

    async def sent_file(self, person: int, file_id: str, *, too_big: str = "picture-too-many-bytes") -> bytes:
        """As ``download``. Raises UserError if Telegram does not give the file: no further try gets it."""
        try:
            return await self.download(person, file_id)
        except BadRequest as error:
            raise UserError(too_big if "too big" in str(error).lower() else "picture-gone") from error

    async def sticker_set(self, person: int, name: str) -> StickerSet:
        """A sticker set by its name, whoever made it. Raises Held, and BadRequest if there is none."""

        async def ask() -> StickerSet:
            return await self._bot.get_sticker_set(name, read_timeout=SECONDS)

        return await self._paced.at_once(person, "getStickerSet", ask)

    async def _edited(self, person: int, write: Callable[[], Awaitable[object]]) -> bool:
        try:
            await self._paced(person, write)
        except BadRequest as error:
            if "message is not modified" in str(error).lower():
                return True
            if "message" in str(error).lower():  # to edit not found | can't be edited
                return False
            raise
        return True


async def _once(call: Awaitable[object]) -> None:
    try:
        await call
    except TelegramError as error:
        log.info("somebody who may not use the bot could not be told: %s", type(error).__name__)


def _size(png: bytes) -> tuple[int, int]:
    """Width and height, from the header of a PNG that a worker has made."""
    return int.from_bytes(png[16:20]), int.from_bytes(png[20:24])


def keyboard(buttons: Buttons | None) -> InlineKeyboardMarkup | None:
    """Rows of (label, callback data), or (label, https link)."""
    if not buttons:
        return None
    return InlineKeyboardMarkup([[_button(label, data) for label, data in row] for row in buttons])


def _button(label: str, data: str) -> InlineKeyboardButton:
    if data.startswith("https://"):
        return InlineKeyboardButton(label, url=data)
    assert len(data.encode()) <= 64, "Telegram's limit on callback data, which its server only reports late"
    return InlineKeyboardButton(label, callback_data=data)


def _reply(message_id: int | None) -> ReplyParameters | None:
    if message_id is None:
        return None
    return ReplyParameters(message_id, allow_sending_without_reply=True)
