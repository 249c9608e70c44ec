"""Groups in the playground: privacy mode, who sees what, and a bot that is removed."""

from __future__ import annotations

import aiogram
import pytest
import telegram
from telegram.error import BadRequest, Forbidden

from bot.playground import Person, Playground
from tests.patient_person import PatientPerson


async def test_privacy_mode_shows_a_bot_what_is_meant_for_it(
    playground: Playground, ada: Person, ptb: telegram.Bot, aio: aiogram.Bot
) -> None:
    """Commands that name no other bot, and replies to it. Both libraries read them as of a supergroup."""
    group = await ada.group("Friends")
    async with PatientPerson.join(playground.address, id=ada.id, chat=group) as there:
        own = await ptb.send_message(group, "hello")
        await there.read()
        await there.send("just talk")
        await there.send("/help@other_bot")
        await there.send("/help")
        edited = await there.send("/help@playground_bot please")
        await there.edit(edited, "/help now")
        await there.send("really?", reply_to=there.messages[0])
        updates = await aio.get_updates(offset=0)
        said = [m for u in updates if (m := u.message or u.edited_message)]
        assert [m.text for m in said][1:] == [
            "/help",
            "/help@playground_bot please",
            "/help now",
            "really?",
        ]
        assert {m.chat.type for m in said[1:]} == {"supergroup"}
        assert updates[-1].message is not None
        assert updates[-1].message.reply_to_message is not None
        assert updates[-1].message.reply_to_message.message_id == own.message_id


async def test_members_alone_see_a_group(playground: Playground, ada: Person, ptb: telegram.Bot) -> None:
    """Everybody in it; nobody else can write or press there."""
    async with PatientPerson.join(playground.address, "Ben") as ben:
        group = await ada.group("Friends")
        await ptb.send_message(group, "hello")
        async with PatientPerson.join(playground.address, id=ada.id, chat=group) as there:
            assert [m.text for m in there.messages] == ["hello"]
        assert "hello" not in [m.text for m in ada.messages]
        with pytest.raises(Exception, match="403"):
            async with PatientPerson.join(playground.address, id=ben.id, chat=group):
                pass


async def test_what_telegram_refuses_in_a_group(
    playground: Playground, ada: Person, ptb: telegram.Bot
) -> None:
    """People's messages are not the bot's to delete, and a bot that was removed can do nothing."""
    group = await ada.group("Friends")
    async with PatientPerson.join(playground.address, id=ada.id, chat=group) as there:
        sent = await there.send("/help")
        with pytest.raises(BadRequest, match=r"[Mm]essage can't be deleted"):
            await ptb.delete_message(group, sent.id)
        own = await ptb.send_message(group, "hello")
        assert await ptb.delete_message(group, own.message_id)
        await there.remove_bot()
        with pytest.raises(Forbidden, match="bot was kicked from the supergroup chat"):
            await ptb.send_message(group, "hello")
    with pytest.raises(BadRequest, match=r"[Cc]hat not found"):
        await ptb.send_message(-5, "hello")
