"""The methods that this Bot API server knows: one small function each."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from bot.playground import account, inline, messages, stickers
from bot.playground.wire import Call
from bot.playground.world import World

Method = Callable[[World, Call], Awaitable[object]]

_ALL: tuple[Method, ...] = (
    account.get_me,
    account.get_updates,
    account.set_webhook,
    account.delete_webhook,
    account.get_webhook_info,
    account.set_my_commands,
    account.get_my_commands,
    account.delete_my_commands,
    account.set_my_name,
    account.get_my_name,
    account.set_my_description,
    account.get_my_description,
    account.set_my_short_description,
    account.get_my_short_description,
    messages.send_message,
    messages.send_photo,
    messages.send_document,
    messages.send_sticker,
    messages.send_media_group,
    messages.send_chat_action,
    messages.edit_message_text,
    messages.edit_message_caption,
    messages.edit_message_reply_markup,
    messages.edit_message_media,
    messages.delete_message,
    messages.delete_messages,
    messages.answer_callback_query,
    messages.get_file,
    inline.answer_inline_query,
    stickers.get_sticker_set,
    stickers.upload_sticker_file,
    stickers.create_new_sticker_set,
    stickers.add_sticker_to_set,
    stickers.replace_sticker_in_set,
    stickers.delete_sticker_from_set,
    stickers.set_sticker_position_in_set,
    stickers.set_sticker_emoji_list,
    stickers.set_sticker_keywords,
    stickers.set_sticker_set_title,
    stickers.set_sticker_set_thumbnail,
    stickers.set_custom_emoji_sticker_set_thumbnail,
    stickers.get_custom_emoji_stickers,
    stickers.delete_sticker_set,
)

# Telegram does not mind the case of a method's name: send_message answers to "sendMessage" and "sendmessage".
METHODS: dict[str, Method] = {method.__name__.replace("_", ""): method for method in _ALL}
