"""The people's side: what an app does for a person, and what it keeps others from doing."""

from __future__ import annotations

import asyncio
import io
from pathlib import Path

import httpx
import pytest
import telegram
from PIL import Image

from bot.playground import Person, Picture, Playground, serve
from bot.playground.person import ChatError

from .conftest import Drawing


async def test_state_survives_the_server(tmp_path: Path, drawing: Drawing) -> None:
    """A server started again has the people, chats, files, packs and waiting updates of the last one."""
    async with serve(tmp_path) as first, Person.join(first.address) as ada:
        bot = telegram.Bot(first.token, first.api_url, first.file_url)
        async with bot:
            sent = await ada.send_picture(drawing(), as_="sticker", emoji="🦊")
            name = f"ada_by_{bot.username}"
            await bot.create_new_sticker_set(
                ada.id, name, "x", [telegram.InputSticker(drawing(), ["🦊"], "static")]
            )
            sticker = (await bot.get_sticker_set(name)).stickers[0]
            await bot.send_message(ada.id, "before")
    async with serve(tmp_path) as second, telegram.Bot(second.token, second.api_url, second.file_url) as bot:
        assert second.token != first.token
        (update,) = await bot.get_updates()
        assert update.message is not None
        assert update.message.sticker is not None
        assert update.message.sticker.file_id == sent.file_id
        assert (await bot.get_sticker_set(name)).stickers == (sticker,)
        assert len(await (await bot.get_file(sticker.file_id)).download_as_bytearray()) > 100
        async with Person.join(second.address, id=ada.id) as back:
            assert [m.text for m in back.messages] == ["", "before"]
            message = await bot.send_message(ada.id, "after")
            assert (await back.wait_for("after", since=0)).id == message.message_id > sent.id + 1


async def test_a_killed_servers_state_is_whole(tmp_path: Path) -> None:
    """What the bot was told is kept even if the server is never ended properly."""
    async with serve(tmp_path) as killed, Person.join(killed.address) as ada:
        await ada.send("kept")
        async with serve(tmp_path) as second, telegram.Bot(second.token, second.api_url) as bot:
            (update,) = await bot.get_updates()
            assert update.message is not None
            assert update.message.text == "kept"


async def test_pictures_become_stickers_of_512_px(ptb: telegram.Bot, ada: Person, drawing: Drawing) -> None:
    """Any picture sent as a sticker arrives as WebP, longer side 512 px, transparent where it was."""
    await ada.send_picture(drawing(100, 50, "PNG"), as_="sticker", emoji="🐙")
    message = (await ptb.get_updates(offset=-1))[0].message
    assert message is not None
    assert message.sticker is not None
    data = await (await message.sticker.get_file()).download_as_bytearray()
    image = Image.open(io.BytesIO(bytes(data)))
    assert (image.format, image.size, image.mode) == ("WEBP", (512, 256), "RGBA")
    assert image.getpixel((0, 0))[3] == 0


async def test_long_texts_are_split_as_apps_do(ptb: telegram.Bot, ada: Person) -> None:
    """5,000 characters are two messages; nothing of them is lost."""
    await ada.send("ab" * 2500)
    updates = await ptb.get_updates(offset=-2)
    texts = [update.message.text for update in updates if update.message]
    assert [len(text or "") for text in texts] == [4096, 904]
    assert "".join(text or "" for text in texts) == "ab" * 2500


async def test_albums_have_at_most_ten(ptb: telegram.Bot, ada: Person, drawing: Drawing) -> None:
    """12 pictures are an album of ten and one of two; each keeps its caption."""
    pictures = [Picture(data=drawing(40, 40, "PNG"), caption=str(number)) for number in range(12)]
    sent = await ada.album(pictures)
    groups = [message.raw["media_group_id"] for message in sent]
    assert [message.text for message in sent] == [str(number) for number in range(12)]
    assert [groups.count(group) for group in dict.fromkeys(groups)] == [10, 2]
    assert len(await ptb.get_updates()) == 13


async def test_a_caption_has_its_limit(ada: Person, drawing: Drawing) -> None:
    """A caption over what even a Premium person may write is refused by the app, not cut."""
    await ada.send_picture(drawing(), caption="x" * 4096)
    with pytest.raises(ChatError, match="caption is too long"):
        await ada.send_picture(drawing(), caption="x" * 4097)


async def test_only_buttons_that_are_there_can_be_pressed(ptb: telegram.Bot, ada: Person) -> None:
    """A button that an edit has taken away can no longer be pressed."""
    markup = telegram.InlineKeyboardMarkup.from_button(
        telegram.InlineKeyboardButton("Go", callback_data="go")
    )
    message = await ptb.send_message(ada.id, "x", reply_markup=markup)
    shown = await ada.wait_for("x")
    await message.edit_reply_markup(None)
    with pytest.raises(ChatError, match="no such button"):
        await ada.press(shown, "Go")


async def test_people_do_not_hear_each_other(playground: Playground, ptb: telegram.Bot, ada: Person) -> None:
    """Each person has a chat of their own."""
    async with Person.join(playground.address, "Bob") as bob:
        await bob.send("hello")
        await ptb.send_message(bob.id, "for Bob")
        await bob.wait_for("for Bob")
        await ada.read()
        assert [m.text for m in ada.messages] == ["/start"]


async def test_waiting_is_for_what_comes_after_the_deed(ptb: telegram.Bot, ada: Person) -> None:
    """``wait_for`` ignores messages that came before the last deed, and raises TimeoutError when none comes."""
    await ptb.send_message(ada.id, "answer 1")
    await ada.wait_for("answer")
    await ada.send("again?")
    with pytest.raises(TimeoutError, match="0 others came"):
        await ada.wait_for("answer", timeout=0.3)
    waiting = asyncio.create_task(ada.wait_for("answer"))
    await ptb.send_message(ada.id, "answer 2")
    assert (await waiting).text == "answer 2"


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "evil.example"},
        {"Host": "127.0.0.1:1"},
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
)
async def test_other_websites_are_kept_out(
    playground: Playground, ada: Person, headers: dict[str, str]
) -> None:
    """No page of another origin, nor a name that somebody points at this machine, reaches chat or bot."""
    async with httpx.AsyncClient(base_url=playground.address, headers=headers) as http:
        for path in ("/chat/people", f"/chat/{ada.id}/messages", f"/bot{playground.token}/getMe"):
            assert (await http.get(path)).status_code == 403
        assert (await http.post(f"/chat/{ada.id}/send", data={"text": "spam"})).status_code == 403
    await ada.read()
    assert len(ada.messages) == 1


async def test_the_server_listens_on_this_machine_only(playground: Playground) -> None:
    """The server listens on loopback addresses only."""
    assert playground.address.startswith("http://127.0.0.1:")


async def test_the_page_is_whole_and_needs_nothing_else(playground: Playground) -> None:
    """The page and all that it names come from here, under a policy that allows no other place."""
    async with httpx.AsyncClient(base_url=playground.address) as http:
        page = await http.get("/")
        assert "script-src 'self'" in page.headers["Content-Security-Policy"]
        assert "://" not in page.text
        for name in ("app.js", "messages.js", "style.css"):
            part = await http.get(f"/{name}")
            assert part.status_code == 200
            assert "http://www" not in part.text


async def test_files_are_never_served_as_pages(playground: Playground, ada: Person) -> None:
    """An HTML or SVG file that somebody sends is offered for download, not shown."""
    for name in ("a.html", "a.svg"):
        sent = await ada.send_picture(b"<script>alert(1)</script>", as_="document", name=name)
        async with httpx.AsyncClient(base_url=playground.address) as http:
            answer = await http.get(f"/chat/files/{sent.file_id}")
        assert answer.headers["Content-Type"] == "application/octet-stream"
        assert answer.headers["Content-Disposition"] == "attachment"
        assert answer.headers["X-Content-Type-Options"] == "nosniff"


async def test_paths_lead_nowhere_else(playground: Playground) -> None:
    """Only paths that getFile has named can be downloaded."""
    async with httpx.AsyncClient(base_url=playground.address) as http:
        for path in ("../playground.sqlite", "%2e%2e/playground.sqlite", "documents/file_99.png", "new/x"):
            answer = await http.get(f"/file/bot{playground.token}/{path}")
            assert answer.status_code in (401, 404)


async def test_only_the_owner_changes_a_pack(tmp_path: Path, drawing: Drawing) -> None:
    """Owners move and remove stickers without the bot; anybody else is refused."""
    async with (
        serve(tmp_path) as playground,
        Person.join(playground.address, "Ada") as ada,
        Person.join(playground.address, "Bob") as bob,
        httpx.AsyncClient(base_url=playground.address) as http,
    ):
        pictures = [Picture(data=drawing(), emoji=emoji) for emoji in "🦊🚗"]
        made = await ada.publish("ada_pack", "Ada's", pictures)
        first = made["stickers"][0]["file_id"]

        async def ask(who: Person, what: str, **fields: str) -> int:
            return (await http.post(f"/chat/{who.id}/{what}", data=fields)).status_code

        assert await ask(bob, "move", sticker=first, position="1") == 403
        assert await ask(bob, "delete_pack", name="ada_pack") == 403
        assert await ask(ada, "move", sticker=first, position="2") == 400
        assert await ask(ada, "move", sticker=first, position="1") == 200
        assert [one["emoji"] for one in (await ada.packs())[0]["stickers"]] == ["🚗", "🦊"]
        assert await ask(ada, "remove", sticker=first) == 200
        assert await ask(ada, "delete_pack", name="ada_pack") == 200
        assert await ada.packs() == []
