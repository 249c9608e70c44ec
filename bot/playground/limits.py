"""Telegram's limits, and the errors that a Bot API server answers with, in Telegram's own words.

Texts in capitals (``STICKERSET_INVALID``) come from Telegram's servers, the others from its Bot API server.
"""

from __future__ import annotations

TEXT_CHARACTERS = 4096
CAPTION_CHARACTERS = 1024
PREMIUM_CAPTION_CHARACTERS = 4096  # what a person with Premium may write; a bot never may
ALBUM_ITEMS = (2, 10)
BUTTONS = 100
CALLBACK_DATA_BYTES = 64
CALLBACK_ANSWER_CHARACTERS = 200
CALLBACK_SECONDS = 30.0  # after that long a button press can no longer be answered
INLINE_SECONDS = 30.0  # after that long an inline query can no longer be answered
INLINE_RESULTS = 50
INLINE_ID_BYTES = 64
INLINE_OFFSET_BYTES = 64
INLINE_QUERY_CHARACTERS = 256
INLINE_CACHE_SECONDS = 300  # unless the bot says otherwise
GROUP_TITLE_CHARACTERS = 128
POLL_SECONDS = 50.0
POLL_UPDATES = 100
DELETE_MESSAGES = 100

UPLOAD_BYTES = 50 << 20
DOWNLOAD_BYTES = 20 << 20  # getFile
PHOTO_BYTES = 10 << 20
PHOTO_SIDES_SUM = 10_000  # width + height
PHOTO_RATIO = 20
PHOTO_SIZES = (90, 320, 800, 1280)  # the longer side of the sizes that a photo is kept in

STICKER_SIDE = 512
STICKER_BYTES = 512 << 10
THUMBNAIL_SIDE = 100
THUMBNAIL_BYTES = 128 << 10
EMOJI_SIDE = 100  # of a custom emoji, both sides
EMOJI_BYTES = 128 << 10
SET_STICKERS = {"regular": 120, "custom_emoji": 200}
CUSTOM_EMOJI_IDS = 200  # in one getCustomEmojiStickers
SET_STICKERS_AT_CREATION = 50
SET_NAME_CHARACTERS = 64
SET_TITLE_CHARACTERS = 64
STICKER_EMOJI = 20
STICKER_KEYWORDS = 20
STICKER_KEYWORD_CHARACTERS = 64  # of all keywords together

COMMANDS = 100
COMMAND_DESCRIPTION_CHARACTERS = 256
DESCRIPTION_CHARACTERS = 512
SHORT_DESCRIPTION_CHARACTERS = 120
NAME_CHARACTERS = 64

CHAT_ACTIONS = frozenset(
    (
        *("typing", "upload_photo", "upload_document", "choose_sticker", "find_location"),
        *("record_video", "upload_video", "record_video_note", "upload_video_note"),
        *("record_voice", "upload_voice"),
    )
)


class ApiError(Exception):
    """The method is refused: becomes ``{"ok": false, "error_code": code, "description": ...}``."""

    def __init__(self, code: int, description: str, retry_after: int | None = None) -> None:
        super().__init__(description)
        self.code = code
        self.description = description
        self.retry_after = retry_after


def bad_request(text: str) -> ApiError:
    """400, the code of almost every refusal."""
    return ApiError(400, f"Bad Request: {text}")


def forbidden(text: str) -> ApiError:
    """403: the person has blocked this bot."""
    return ApiError(403, f"Forbidden: {text}")


def conflict(text: str) -> ApiError:
    """409: two programs call getUpdates, or one does while a webhook is set."""
    return ApiError(409, f"Conflict: {text}")


def too_many_requests(seconds: int) -> ApiError:
    """429 with the seconds to wait before the next try."""
    return ApiError(429, f"Too Many Requests: retry after {seconds}", retry_after=seconds)
