"""English: everything that the bot says."""

from __future__ import annotations

from collections.abc import Sequence

NAME = "English"
DECIMAL_MARK = "."
DATE_FORM = "%Y-%m-%d %H:%M"
PLURAL_FORMS = 2
EXAMPLE_PROMPTS: dict[str, str] = {}  # they are English
COMMAND_WORDS = {
    "help": "commands",
    "sticker": "draw stickers",
    "samples": "pictures",
    "styles": "style",
    "forgetme": "forget",
}
OPTION_WORDS = {
    "n": "count",
    "no": "without negative",
    "strength": "weight",
    "outline": "border contour stroke",
}


def plural(n: int, forms: Sequence[str]) -> str:
    """The form of a word for ``n`` things: one, many."""
    return forms[0] if n == 1 else forms[1]


def ordinal(n: int) -> str:
    """1st, 2nd, 3rd, 4th …"""
    ending = {1: "st", 2: "nd", 3: "rd"}.get(n % 10, "th")
    return f"{n}{'th' if 10 < n % 100 < 14 else ending}"


TEXTS = {
    # start and help
    "start": (
        "Hello {name}! I learn the look of your stickers and then draw new ones in it.\n\n"
        "1. Give your style a name: /new\n"
        "2. Send me stickers or pictures that have the look, with a few words on each\n"
        "3. /train, and I learn it\n"
        "4. /sticker <i>{example_prompt}</i>, and I draw it for your own sticker pack\n\n"
        "Try it at once: /sticker <i>{example_prompt}</i>. Begin with /new to teach me your own look."
    ),
    "start-again": (
        "Welcome back, {name}! /status tells where you are, /sticker <i>{example_prompt}</i> draws, "
        "/help explains the rest."
    ),
    "help": (
        "<b>Teach me a look</b>\n"
        "/new <i>keyword</i> starts a style. Its keyword is a made-up word that stands for the look.\n"
        "Then send stickers, pictures as files (best), or photos. {least}–{most} are best. Say what "
        "is on each: "
        "in its caption, in a reply to it, or in your next message.\n"
        "/samples shows them by number. To correct, just write <i>3: a red fox</i>, <i>-3</i> or <i>undo</i>.\n"
        "/check tells what could be better, /train makes me learn.\n\n"
        "<b>Draw</b>\n"
        "/sticker <i>{example_prompt}</i>, in any language: I translate it and show you the English\n"
        "The buttons below a sticker put it into your pack, draw it another way or cut it out another way. "
        "/packs shows and changes your packs.\n"
        "Reply to a sticker with other words or with an option from below, or edit your message: I draw anew.\n"
        "If you like to type:\n"
        "<code>--n 3</code> draws several (up to {count})\n"
        "<code>--no glasses</code> or just <i>without glasses</i> leaves something out\n"
        "<code>--cfg 7</code> follows your words more strictly (1–20), <code>--cfg 3,5,8</code> shows three ways\n"
        "<code>--strength 0.7</code> takes less of the style (0–1.5)\n"
        "<code>--outline red</code>, <code>#ff8800</code> or <code>none</code> changes the outline\n"
        "<code>--seed 42</code> draws the same again\n"
        "<code>--style</code> <i>keyword</i> takes another of your styles\n"
        "{inline}\n"
        "<b>Keep an eye on things</b>\n"
        "/status · /cancel · /language\n"
        "/undo or the word <i>undo</i> takes back your last change, whatever it was: of pictures, captions, a style's "
        "keyword or a pack. Again, and the one before.\n\n"
        "<b>Your styles</b>\n"
        "/styles to switch · /rename · /share lets others draw in a style · /report tells of a bad one · /export · "
        "/delete\n\n"
        "<b>Your data</b>\n"
        "/privacy tells what I keep · /mydata sends it · /forgetme deletes everything"
    ),
    "unknown-command": "I do not know that command. /help lists what I can do.",
    "unknown-command-meant": "I do not know that command. Did you mean /{meant}? /help lists what I can do.",
    "cannot-use": "I cannot use that. Send me stickers or pictures that have your look, or see /help.",
    # groups and other chats
    "help-inline": "In any chat, <code>@{bot} fox</code> finds your stickers.\n",
    "group-help": (
        "Here I draw for whoever asks, in their own style: /sticker <i>{example_prompt}</i>. "
        "Reply to one of my stickers to draw it otherwise. Everything else is between you and me:"
    ),
    "group-private": "That is between you and me:",
    "not-yours": "That is somebody else's sticker. Draw your own: /sticker {example_prompt}",
    "inline-begin": "Begin in a chat with me",
    "inline-open": "Open our chat",
    "inline-draw": "Draw “{words}”",
    "wish-gone": "I do not remember those words any more. Say it again: /sticker <i>{example_prompt}</i>",
    "sorry": (
        "Sorry, something went wrong on my side. If it happens again, tell my operator this number: {number}."
    ),
    "menu-new": "Start a style",
    "menu-samples": "Show this style's pictures",
    "menu-check": "See what could be better",
    "menu-train": "Learn this style",
    "menu-sticker": "Draw: /sticker and what it shows",
    "menu-packs": "Your sticker packs",
    "menu-undo": "Take the last change back",
    "menu-styles": "Switch between styles",
    "menu-status": "What is going on",
    "menu-cancel": "Stop what is going on",
    "menu-language": "Your language",
    "menu-privacy": "What I keep about you, and how to delete it",
    "menu-help": "How it all works",
    # what people see before they press Start, at most 512 characters, and on the bot's profile, at most 120
    "description": (
        "I learn the look of your stickers and draw new ones in it.\n\n"
        "Send me 20 or so stickers or pictures that have your look, with a few words on each. "
        "I learn it, and then I draw what you ask for, in any language, for a sticker pack of your own."
    ),
    "short-description": "I learn the look of your stickers and draw new ones in it, for a pack of your own.",
    # languages
    "language-ask": "Which language shall I speak? You can write to me in any; I translate what I draw.",
    "language-names": "en eng english английский английски englisch inglés",
    "language-chosen": "I speak English now. /help tells what I can do.",
    # data and privacy
    "privacy": (
        "<b>What I keep</b>\n"
        "Your Telegram id, first name, @name, language and the time of your first message. "
        "The pictures you send, their captions, and what I learned "
        "from them. Your prompts and the stickers I drew. Which packs I made for you. "
        "How much I drew and learned for you today, until the day is over. Which shared styles you have reported, and "
        "why.\n\n"
        "<b>How long</b>\n"
        "Prompts, and stickers that are in no pack: {days} days. Your styles and their pictures: until you delete "
        "them. Messages: until I have answered them. What you type after my name in other chats: a day.\n\n"
        "<b>Who sees it</b>\n"
        "Whoever runs this bot can, because it is all on their machine. It goes to nobody else: I learn and draw "
        "there, too. If you share a style, others draw in it and see neither its pictures nor its captions. "
        "If you report a shared style, its owner does not learn who did. "
        "What you put into a pack is public on Telegram.\n\n"
        "<b>How to delete it</b>\n"
        "/mydata sends you all of it. /samples removes single pictures, /delete a style with all that belongs to it, "
        "/forgetme everything at once. Only the number of your trainings and drawings of today stays until tomorrow, "
        "for the daily limits."
    ),
    "export": "What of <b>{keyword}</b> shall I send you?",
    "export-nothing": "<b>{keyword}</b> has no pictures and is not trained yet, so there is nothing to send.",
    "export-unfinished": (
        "Its training has not ended: the file holds what I learned in {step:step|steps}. /status tells what is left."
    ),
    "export-ended": (
        "Its training was ended early: the file holds what I learned in {step:step|steps}. /train begins a new one."
    ),
    "export-begins": "I am getting your files ready …",
    "export-sent": "{n:file|files} sent.",
    "export-too-large": (
        "{n:file is|files are} too large for Telegram (50 MB): {names}. Whoever runs me can give you these."
    ),
    "export-lost": "{n:file|files} of yours cannot be found on my disk any more.",
    "export-failed": "I could not make that file. Please tell whoever runs me.",
    "notice-exporting": "Getting your files ready …",
    "forget-sure": (
        "Delete everything that I keep about you? Your styles, their pictures and captions, what I learned from them, "
        "your stickers, prompts and settings. What is going on is stopped, and who draws in a style of yours "
        "loses it. This cannot be undone.\n\n"
        "Packs on Telegram stay unless you say otherwise."
    ),
    "forget-late": "That button is from an earlier time. If you still want everything deleted, send /forgetme again.",
    "forgotten": "Done: I have deleted everything that I kept about you. If you write to me again, we begin anew.",
    "forgotten-packs": (
        "Done: I have deleted everything that I kept about you, and your packs on Telegram. "
        "If you write to me again, we begin anew."
    ),
    "notice-forgetting": "Deleting …",
    # styles
    "status-none-chosen": "None of your styles is chosen. Choose one in /styles, or start another with /new.",
    "no-style": "You have no style yet. /new starts one; I will suggest names for it.",
    "words-no-style-ready": (
        "Shall I draw that? You have no style of your own yet, so I take the ready-made one. "
        "/sticker draws at once, /new teaches me your style."
    ),
    "words-no-style-bare": (
        "Shall I draw that? You have no style yet, so I draw it without one. "
        "/sticker draws at once, /new teaches me your style."
    ),
    "no-style-kept": (
        "You have no style yet. /new starts one; I keep your {n:message|messages} until then. "
        "How shall it be called? Press a name, or write a made-up word of your own."
    ),
    "new-suggest": (
        "A style needs a keyword: a made-up word that stands for the look, so that it means nothing "
        "else to me. "
        "Take one of these, or write your own."
    ),
    "new-made": (
        "Your style <b>{keyword}</b> is open. Now send me {least}–{most} stickers or pictures that "
        "have the look. "
        "Files keep their transparency, photos lose it.\n"
        "Say what is on each, like <i>a red fox waving</i>: in its caption, in a reply, or in your "
        "next message."
    ),
    "style-switched": "You are in style <b>{keyword}</b> now: {pictures}.",
    "style-gone": "That style is not here any more. /styles lists yours.",
    "styles": "Your styles; press one to switch to it:",
    "style-line": "{mark} <b>{keyword}</b>: {pictures}, {state}",
    "style-pictures": "{n:picture|pictures}",
    "style-no-pictures": "no pictures yet",
    "style-from-file": "from your file",
    "style-ready": "ready to draw",
    "style-untrained": "not trained yet",
    "style-outdated": "to be trained again for my new drawing model",
    "style-outdated-lent": "learned on an earlier drawing model; its owner has to train it again",
    "style-line-shared": "; shared, {n:person draws|people draw} in it",
    "style-line-lent": "{mark} 🔗 <b>{keyword}</b>: shared with you by link, {state}",
    "style-line-ready": (
        "✨ <b>{keyword}</b>: ready-made for everybody. I draw in it while you have no style of your own; "
        "else say <code>--style {keyword}</code>."
    ),
    "style-switched-lent": (
        "You draw in <b>{keyword}</b> now, which is shared with you: /sticker <i>{example_prompt}</i>"
    ),
    "style-lent": (
        "You are in <b>{keyword}</b>, which is shared with you by link: /sticker draws in it, and only its owner sees "
        "and changes the rest. /styles takes you back to a style of your own, /new starts one."
    ),
    "status-lent": "Style <b>{keyword}</b>, shared with you by link.",
    "rename-ask": "How shall <b>{keyword}</b> be called? Write the new keyword.",
    "renamed": "<b>{old}</b> is called <b>{keyword}</b> now. It draws as before.",
    "renamed-captions": "<b>{old}</b> is called <b>{keyword}</b> now, in its captions too. It draws as before.",
    "rename-same": "It is called <b>{keyword}</b> already.",
    "rename-taken": "You have a style <b>{keyword}</b> already. Take another word.",
    "rename-too-long": (
        "With <b>{keyword}</b> in front, the caption of picture {number} gets too long. Take a shorter word."
    ),
    "imported-no-samples": (
        "<b>{keyword}</b> came as a file, without pictures. It draws as it is: /sticker. "
        "If you send me {min} or more pictures with captions, /train makes a new look of them in its place."
    ),
    # adapter files
    "adapter-taken": (
        "Your file is the style <b>{keyword}</b> now, and it is the current one: /sticker <i>{example_prompt}</i>\n"
        "/rename gives it another name."
    ),
    "adapter-later": "I am just starting and cannot look at that file yet. Please send it again in a minute.",
    "adapter-too-many-bytes": (
        "That file is over 20 MB, which is more than Telegram lets me fetch. "
        "A LoRA of a lower rank, or in float16, is smaller."
    ),
    "adapter-pickle": (
        "I do not open files like that: they can hold programs. Save the LoRA as .safetensors and send it again."
    ),
    "adapter-no-safetensors": "That is no safetensors file, or it is cut off. Please send it again.",
    "adapter-damaged": "That file is damaged: its parts do not belong together.",
    "adapter-text-encoder": (
        "That LoRA also changes the text encoder, and mine stays as it is. Train it for the UNet alone and send "
        "it again."
    ),
    "adapter-other-method": "That is no plain LoRA but DoRA, LoHa, LoKr, OFT or the like. I can only use plain LoRA.",
    "adapter-other-names": (
        "I do not find the layers of a LoRA in that file. Is it a whole model, or for another program?"
    ),
    "adapter-other-base": (
        "That LoRA is for another model than the one that I draw with: their layers differ. "
        "It has to be trained on the same one."
    ),
    "adapter-not-finite": (
        "That file has weights that are no numbers, or infinite: its training went astray. Send an earlier checkpoint."
    ),
    "adapter-numbers": "The numbers in that file are in a form that I do not read. Save it in float16 or float32.",
    # sharing
    "share": (
        "Whoever opens this link can draw in <b>{keyword}</b>. They see neither your pictures nor your captions.\n"
        "{link}\n"
        "Keep it: I show it only once.\n\n"
        "{n:person draws|people draw} in it now."
    ),
    "share-again": (
        "<b>{keyword}</b> is shared by a link. {n:person draws|people draw} in it now.\n\n"
        "I showed the link once and do not keep it. If it is lost, make a new one: the old one stops working, and who "
        "draws in the style already goes on."
    ),
    "share-untrained": "<b>{keyword}</b> is not trained yet, so nobody could draw in it. /train first, then /share.",
    "share-over": "<b>{keyword}</b> is not shared any more: {n:person has|people have} lost it.",
    "share-over-already": "<b>{keyword}</b> is not shared. /share gives a link.",
    "share-unknown": "That link does not work any more. Ask for a new one.",
    "share-own": "That link leads to your own style. Send it to somebody else.",
    "share-joined": (
        "Hello {name}! You can draw in the style <b>{keyword}</b> now; somebody shares it with you.\n"
        "Try /sticker <i>{example_prompt}</i>. /new starts a style of your own."
    ),
    "share-left": "<b>{keyword}</b> is not among your styles any more.",
    "share-ended": (
        "<b>{keyword}</b> is not shared with you any more. The stickers that you have drawn in it are yours."
    ),
    "share-stopped": (
        "Whoever runs me has ended the sharing of <b>{keyword}</b>, because people who drew in it have reported it: "
        "{reasons}. Nothing of the style is deleted, but you cannot share it again."
    ),
    "share-barred": "Whoever runs me has ended the sharing of <b>{keyword}</b>. Only they can allow it again.",
    "share-allowed": "Its owner can share the style again.",
    # reports of shared styles
    "report-none": (
        "Only a style that somebody shares with you by link can be reported, and there is none among yours: /styles"
    ),
    "report-which": "Which style do you want to report?",
    "report-ask": (
        "What is wrong with <b>{keyword}</b>? Whoever runs me reads your answer, and sees the last stickers that you "
        "have drawn in it, four at most. The owner of the style does not learn who has reported it."
    ),
    "reported": (
        "Thank you: whoever runs me knows about <b>{keyword}</b> now and decides what happens. "
        "Until then the style stays among yours, unless you remove it."
    ),
    "report-again": "You have reported <b>{keyword}</b> already, and whoever runs me knows. Once is enough.",
    "reason-unsafe": "unsafe pictures",
    "reason-work": "somebody else's work",
    "reason-other": "something else",
    "report": "🚩 <b>{keyword}</b>, style of <code>{owner}</code>\nReported by {n:guest|guests}: {reasons}",
    "report-guests": "{n:person draws|people draw} in it by link now.",
    "report-unshared": "Its owner does not share it any more.",
    "report-times": "First report {first} UTC, last {last} UTC.",
    "reports-more": "{n:more style is|more styles are} reported. Decide on these first, then send /reports again.",
    "no-reports": "No report is open.",
    "report-settled": "That is decided already. /reports shows what is open.",
    "report-not-shared": (
        "<b>{keyword}</b> is not shared any more: its owner has ended that. Dismiss it, or ban the owner."
    ),
    "report-ended": (
        "<b>{keyword}</b> is not shared any more: {n:person has|people have} lost it.\n\n"
        "Its owner cannot share this style again until you allow it, but can make and share others. What ends that, "
        "too: /ban <code>{owner}</code>"
    ),
    "report-dismissed": "<b>{keyword}</b>: dismissed. The style stays as it is.",
    "delete-sure": (
        "Delete style <b>{keyword}</b> with its {n:picture|pictures} and all that I learned from them? "
        "This cannot be undone. Packs on Telegram stay."
    ),
    "delete-sure-empty": (
        "Delete style <b>{keyword}</b>? It has no pictures. This cannot be undone. Packs on Telegram stay."
    ),
    "delete-done": "Style <b>{keyword}</b> is deleted.",
    "keyword-empty": "A style needs a keyword: /new <i>keyword</i>",
    "keyword-characters": (
        "“{word}” cannot be a keyword. Take one word of 3–20 letters a–z and digits, with _ or - inside if you "
        "like, that begins with a letter.{hint}"
    ),
    "keyword-ordinary": (
        "“{word}” is known to me: an English word, a well-known name, or English words written together. Your look "
        "would get mixed up with it. Take an invented word or a rare name, like <i>murzik</i>.{hint}"
    ),
    "keyword-too-many-tokens": "“{word}” is too hard to read for me. Take something shorter.{hint}",
    "kept-as-words": " I keep this as words about your picture.",
    "keyword-hint": " /new alone suggests some.",
    # samples
    "samples-new": "<b>{keyword}</b>: {n:new picture|new pictures}, {total} in all.",
    "samples-repeated": "{n:picture was|pictures were} here before ({numbers}); I keep each once, however it is sent.",
    "samples-clearer": (
        "{n:picture was|pictures were} here before without transparency ({numbers}): now the new file is there, "
        "with the same number and words."
    ),
    "sample-called": "Picture {number}: <i>{caption}</i>",
    "from-own-words": "(from “{original}”)",
    "caption-unknown": "I do not know “{words}”. Other words for it would help me.",
    "samples-translated": (
        "{n:caption is|captions are} translated, like <i>{example}</i> from “{original}”."
    ),
    "sample-drafted": "Picture {number}, from its emoji: <i>{caption}</i>. Better words? Just write them.",
    "samples-drafted": (
        "{n:caption is|captions are} drafted from emoji, like <i>{example}</i>. "
        "Better words? Write for example <i>{number}: a red fox</i> (/samples has the numbers), or keep the drafts."
    ),
    "drafts-from-emoji": "{n:caption|captions} drafted from emoji, like <i>{example}</i>.",
    "drafts-copied": "{n:caption|captions} copied from almost the same picture, like <i>{example}</i>.",
    "drafts-next": "/samples shows them. Better words? Write for example <i>3: a red fox</i>, or keep the drafts.",
    "samples-lacking": "Without words yet: {numbers}. What is on picture {number}? Just write it.",
    "samples-photo": (
        "Photos lose their transparency on Telegram. Send the same pictures as files, and I take those instead."
    ),
    "sample-caption-refused": (
        "The caption of picture {number} is too long: {tokens} tokens, and there is room for {room} beside {keyword}. "
        "Reply to the picture with a shorter one."
    ),
    "sample-captions-refused": (
        "The captions of pictures {numbers} are too long: there is room for {room} tokens beside {keyword}. "
        "Reply to each with a shorter one."
    ),
    "repeated-caption-refused": (
        "That picture was here before, and its new caption is too long: there is room for {room} tokens "
        "beside {keyword}."
    ),
    "pictures-refused": "{n:picture was|pictures were} not taken. {reason}",
    "pack-ask": "Which pack shall I take pictures from? Write its name or send its link: t.me/addstickers/Animals",
    "pack-usage": "Name the pack or send its link: /pack <i>Animals</i> or t.me/addstickers/Animals",
    "pack-unknown": "There is no sticker pack called {name}. Open it in Telegram, press Share, and send me the link.",
    "pack-empty": "The pack <b>{title}</b> has no stickers.",
    "import-opening-pack": "Opening the pack …",
    "import-opening-zip": "Looking into the zip …",
    "import-faults": "{n:line of its table was|lines of its tables were} no use: a line needs a file_name and a text.",
    "import-missing": (
        "{n:line of its table names a file|lines of its tables name files} that the zip does not have: {names}."
    ),
    "import-other-keyword": (
        "{n:caption|captions} began with <b>{word}</b>. I took it for another style's keyword and left it out: "
        "here <b>{keyword}</b> stands for the look."
    ),
    "import-table-unread": (
        "I could not read any caption in <b>{name}</b>. Save it as UTF-8 text: a CSV table, or JSON with one object "
        "on each line."
    ),
    "import-unread": "{n:caption|captions} in text files could not be read. Save them as UTF-8.",
    "archive-other": "Of archives I read zip only. Put the pictures into a zip and send it again.",
    "zip-damaged": "That zip is damaged, or packed in a way that I cannot read. A plain zip works.",
    "zip-entries": "That zip has more than 200 entries. Send it in parts.",
    "zip-too-large": "Unpacked, that zip is over 100 MB. Send it in parts, or the pictures smaller.",
    "zip-text": "The captions in that zip are over 1 MB together. A few words on each picture are enough.",
    "zip-path": "A name in that zip leads out of it, so I do not open it. Pack just the pictures.",
    "zip-link": "That zip holds links instead of files, so I do not open it. Pack the pictures themselves.",
    "zip-encrypted": "That zip needs a password. Send it without one.",
    "zip-no-pictures": "There are no pictures in that zip. I need PNG, WebP or JPEG files.",
    "import-taking": "Taking <b>{title}</b> into <b>{keyword}</b>: {done} of {n:picture|pictures} …",
    "import-done": "✓ <b>{title}</b>: {n:new picture|new pictures} for <b>{keyword}</b>, {total} in all.",
    "import-done-empty": "<b>{title}</b> has nothing new for <b>{keyword}</b>.",
    "import-stopped": "Stopped. Of <b>{title}</b> I took {n:picture|pictures} into <b>{keyword}</b>, {total} in all.",
    "import-stopped-empty": "Stopped. Of <b>{title}</b> I took nothing into <b>{keyword}</b>.",
    "import-repeated": "{n:picture was|pictures were} here before; I keep each once, however it is sent.",
    "import-clearer": (
        "{n:picture was|pictures were} here before without transparency: now the new file is there, "
        "with the same number and words."
    ),
    "import-full": "{n:picture was|pictures were} left out: a style can have {most}.",
    "import-crashed": "Something went wrong on my side. What I had taken by then is kept; try the rest once more.",
    "picture-gone": "Telegram does not have that file any more.",
    "notice-import": "I take them one by one …",
    "notice-stopping": "Stopping …",
    "notice-import-over": "That one is over already.",
    "link": "A link is no caption. Say in a few words what is on the picture, like <i>a red fox waving</i>.",
    "caption-command": (
        "The caption of that picture is a command, so I did that. "
        "To teach me the picture, send it again without the command."
    ),
    "next-more": "{n:more picture|more pictures} and you can /train; {least}–{most} in all are best.",
    "next-train-or-more": "You can /train now, but {least}–{most} pictures teach me much better.",
    "next-train": "That is enough: /train",
    "drafts-kept": "{n:draft|drafts} kept.",
    "keyword-added": "I put your keyword <b>{keyword}</b> in front.",
    "caption-next": "And what is on picture {number}? ({n:picture waits|pictures wait} for words)",
    "caption-too-long": (
        "That caption for picture {number} is too long: {tokens} tokens, and there is room for {room} beside "
        "{keyword}. "
        "The picture is kept; send a shorter caption."
    ),
    "caption-empty": "Say in a few words what is on picture {number}, like <i>a red fox waving</i>.",
    "album-uneven": (
        "Your album's caption has {lines:line|lines}, and the album {n:picture|pictures}, "
        "so none of them got words. Edit the caption or reply to this message: one line for each picture."
    ),
    "lines-uneven": (
        "You sent {lines:line|lines} for {n:picture|pictures} ({numbers}), so I changed nothing. "
        "Send one line for each picture, or write their numbers: <i>3: a red fox</i>."
    ),
    "number-taken": (
        "I took {number} for the picture's number. If it belongs to the caption, write "
        "<code>{number}: {number} {words}</code>"
    ),
    "number-not-taken": (
        "If {number} is a picture's number, write <code>{number}: {words}</code>; /undo brings back what was."
    ),
    "remove-what": (
        "What shall I remove? For a picture of <b>{keyword}</b>, write <code>-{numbers}</code>. "
        "For a sticker of a pack, open the pack in /packs and reply to it with <code>delete {numbers}</code>."
    ),
    "caption-usage": "Like this: /caption 3 a red fox waving",
    "text-unclear": (
        "No picture waits for words. Shall I draw that? /sticker <i>{example_prompt}</i> draws at once. "
        "To change a caption, reply to its picture."
    ),
    "sample-number": (
        "There is no picture {number}; this style has {n:picture|pictures}. /samples shows them."
    ),
    "samples-lost": (
        "My disk has lost {n:picture|pictures} of yours: {numbers}. Write <i>-{number}</i> to take it out, "
        "then send the picture again."
    ),
    "sample-gone": "That picture is not here any more. /samples shows the others.",
    "sample-removed": "Picture {number} is removed; {n:is|are} left. /samples shows them.",
    "remove-which": "Which picture shall go?",
    "samples-none": "Style <b>{keyword}</b> has no pictures yet. Send me some that have the look.",
    "samples-page-hint": "To correct, just write:\n{number}: a red fox\n-{number}\nundo",
    "samples-removed": "Removed: {numbers}. {n:picture is|pictures are} left.",
    "samples-renumbered": "Those behind have new numbers.",
    "edited-corrections": (
        "I do not follow edits of such a list: the numbers may have changed. "
        "Send what you want to change as a new message."
    ),
    "undo-words": "undo",
    "undo-nothing-left": (
        "There is nothing to take back. I keep changes of pictures and keywords for a day, those of packs longer."
    ),
    "undo-already": "That is taken back already, or it was too long ago.",
    "undo-withdrawn": "↩ Taken back before it was done: {what}.",
    "undo-not-last": "Something was changed after that. Write “undo” to take back the last change first.",
    "undo-full": "A style can have {most} pictures, so there is no room to bring those back. Remove some first.",
    "undone-in": "↩ Taken back in your style <b>{keyword}</b>.",
    "undone-renamed": "↩ Taken back: <b>{old}</b> is called <b>{keyword}</b> again.",
    "undone-back": "Back again: {numbers}.",
    "undone-changed": "As before again: {numbers}.",
    "undone-gone": "Taken out again: {numbers}. {n:picture is|pictures are} left.",
    "correction-same": "It was so before; nothing has changed.",
    "undone-none": "Those pictures are all here again already.",
    "samples-page": "<b>{keyword}</b>, {n:picture|pictures}",
    "sample-line": "{number}. {caption}",
    "sample-line-lost": "{number}. — lost, write -{number}",
    "sample-line-none": "{number}. — no words yet",
    "too-many-samples": (
        "A style can have {most} pictures, and yours is full. /samples lets you remove some."
    ),
    "sticker-no-still": "That one moves, and I could not take a still picture out of it.",
    "sticker-moves": "That one moves, and I take no GIF and no video. Send a still picture of it as PNG, WebP or JPEG.",
    "picture-empty": "That file is empty.",
    "picture-too-many-bytes": "That file is over 20 MB, which is more than Telegram lets me fetch.",
    "picture-format": "I cannot read that file. I need PNG, WebP or JPEG pictures.",
    "picture-gif": "I take no GIF. Send a still picture of it as PNG, WebP or JPEG.",
    "picture-animated": "That one moves. I can only learn from still pictures.",
    "picture-too-many-pixels": "That picture is too large{detail}: at most 16 megapixels, please.",
    "picture-too-small": (
        "That picture is too small{detail} to learn from: its shorter side needs 64 pixels."
    ),
    "picture-damaged": "That picture is cut off or damaged. Please send it again.",
    "picture-blank": "That picture is fully transparent; there is nothing on it.",
    # what checks find; {numbers} are pictures, = stands between those that belong together
    "check-found": "<b>{keyword}</b>, {n:picture|pictures}. What could be better:",
    "check-good": "✓ <b>{keyword}</b>, {n:picture|pictures}: they look good to me. /train when you like.",
    "check-later": "Lettering and very fine lines I only see once I begin to learn; I will tell you then.",
    "finding-keyword-other": (
        "{numbers}: the words begin with {detail}. If that is another style's keyword, write them without it."
    ),
    "finding-caption-empty": (
        "<b>No words:</b> {numbers}. What has no words mixes with the look; say in a few what is on them."
    ),
    "finding-caption-short": (
        "<b>Very few words:</b> {numbers}. Say a little more, like <i>a red fox waving</i>; "
        "what you do not name mixes with the look."
    ),
    "finding-captions-same": (
        "<b>The same words:</b> {numbers}. Say what sets each apart, or I cannot tell them apart later."
    ),
    "finding-style-uneven": (
        "<b>Named as “sticker” or the like, or not, unlike the others:</b> {numbers}. "
        "Your keyword stands for that: best leave it out everywhere."
    ),
    "finding-few-pictures": (
        "<b>Few pictures.</b> With only {detail} I copy them more than I learn their look; 20–50 are best."
    ),
    "finding-many-pictures": (
        "<b>Many pictures.</b> {detail} are more than I need; the 20–50 that show the look best teach me more."
    ),
    "finding-blank-picture": (
        "<b>Nothing to be seen:</b> {numbers}. One colour all over; remove them, or send the drawings again."
    ),
    "finding-no-alpha": (
        "<b>No transparency:</b> {numbers}. I learn their background too. Sent as files (PNG, WebP), "
        "pictures keep their transparency."
    ),
    "finding-busy-background": (
        "<b>A background of many colours:</b> {numbers}. I would learn it as part of the look. "
        "Cut them out and send them as files."
    ),
    "finding-small-picture": (
        "<b>Small:</b> {numbers}. I would learn how blurred they are; send larger ones if you can."
    ),
    "finding-near-duplicates": (
        "<b>Almost the same:</b> {numbers}. What I see twice I copy; keep one of each."
    ),
    "finding-unsafe": "🚫 {numbers}: my filter takes this for nudity or sex, so I do not learn from it.",
    "finding-lettering": (
        "<b>Lettering:</b> {numbers}. I cannot learn to write: it comes out as scribble. "
        "Because of them I mirror none of your pictures while I learn. "
        "Better without those pictures, or without their letters."
    ),
    "finding-fine-detail": (
        "<b>Very fine lines:</b> {numbers}. They are finer than I can draw. "
        "Thicker lines and flatter colours come out better."
    ),
    "cutout-headline": "Cutting {n:picture|pictures} of <b>{keyword}</b> out of the background",
    "cutout-done": "✓ {n:picture|pictures} of <b>{keyword}</b> cut out of the background. /samples shows how it went.",
    "cutout-left": "Of {n:picture|pictures} nothing would have been left; there I changed nothing.",
    "cutout-cancelled": "Cutting out was cancelled; what was done by then is kept.",
    "fix-done": "That is done in <b>{keyword}</b>. /samples shows how it is now.",
    "fix-nothing": "There is nothing left to do for that. /check looks again.",
    "train-doubts": (
        "Before I learn <b>{keyword}</b>:\n{lines}\n\n"
        "/samples shows the pictures by number; correct what you like and send /train again. Or go ahead:"
    ),
    # who may use the bot
    "access-refused": (
        "Sorry, I draw only for people whom my operator has let in. "
        "If you know them, tell them your number: {id}."
    ),
    "help-admin": (
        "<b>For admins</b>\n"
        "/allow, /ban and /unban take a number, an @name, or a reply to a message that you have forwarded to me.\n"
        "/invite <i>5 30d</i> makes a link for five people and thirty days; /invites shows those that are open.\n"
        "/stats tells how I do today, /reports which shared styles are reported."
    ),
    "stats-people": "{n:person|people}, {active} active today, {banned} banned.",
    "stats-trainings": (
        "Trainings: {queued} wait, {running} run; today {done} done, {failed} failed, {cancelled} cancelled."
    ),
    "stats-draws": (
        "Drawings: {queued} wait, {running} run; today {done} done, {failed} failed, {cancelled} cancelled."
    ),
    "stats-cutouts": (
        "Cut-outs: {queued} wait, {running} run; today {done} done, {failed} failed, {cancelled} cancelled."
    ),
    "stats-wait": "Waiting time today: {median} in the middle, {longest} at most.",
    "stats-errors": "Errors today: {errors}.",
    "stats-disk": "Disk: {share} % used, {used} of {budget} GB; {database} MB of it the database.",
    "stats-worker": "Worker {worker}: {device}.",
    "stats-no-worker": "No worker is ready.",
    "allowed": "{who} may use me now.",
    "allowed-name": "Whoever writes to me as @{name} may use me.",
    "banned": "{who} cannot use me any more. To take it back: /unban <code>{id}</code>",
    "ban-admin": "That is an admin. Who is one stands in config.toml.",
    "unbanned": "{who} may use me again.",
    "unbanned-stranger": "{who} is not banned any more. To let them in: /allow <code>{id}</code>",
    "forwarded-by": "That is from {who}, number <code>{id}</code>.",
    "who-usage": (
        "Tell me who: their number or @name behind the command, "
        "or send the command as a reply to a message of theirs that you have forwarded to me."
    ),
    "who-unknown": "Nobody has written to me as @{name}. Their number will do: I tell it to everyone I turn away.",
    "who-hidden": (
        "Telegram does not tell me whose message that is: they hide it. "
        "Ask them for their number, which I tell everyone I turn away."
    ),
    "invite": "{link}\nLets in {n:person|people}, until {until} UTC.",
    "invite-usage": (
        "/invite <i>5 30d</i> makes a link for five people and thirty days. "
        "Up to {most} people and {days} days; hours are <i>12h</i>."
    ),
    "invite-other-mode": (
        "Links let nobody in while <code>access.mode</code> in config.toml is <code>{mode}</code>. "
        "Set it to <code>invite</code> first."
    ),
    "no-invites": "No invite is open. /invite makes one.",
    "invite-revoked": "That link lets nobody in any more. Who came in by it stays.",
    "invite-gone": "That link is gone already.",
    "button-allow": "✓ Let in",
    "button-ban": "✕ Ban",
    "button-revoke": "✕ Revoke {token}…",
    # to admins
    "admin-disk-full": (
        "My disk is full. I store and draw nothing until there is space again; then I go on by myself."
    ),
    "admin-disk-read-only": (
        "My disk takes no changes: it is read-only. I go on by myself when it can be written again."
    ),
    "admin-database-locked": (
        "Another program locks my database. I wait for it, and go on by myself when it is free."
    ),
    "admin-disk-80": (
        "My data takes {share} % of the room that it may have: {used} of {budget} GB. "
        "At 95 % I begin no more trainings. Deleting styles helps, or a larger storage.max_gb."
    ),
    "admin-disk-95": (
        "My data takes {share} % of the room that it may have: {used} of {budget} GB. "
        "I begin no more trainings until there is more; everything else goes on."
    ),
    "admin-database-damaged": (
        "My database is damaged; my log says where. Please stop me and restore a backup before more is lost."
    ),
    "admin-unreadable": (
        "{n:message|messages} from Telegram could not be read, and I have put them aside. "
        "A newer version of python-telegram-bot may read them."
    ),
    "admin-update-given-up": "Somebody got an apology from me. My log says why: look for <code>{number}</code>.",
    "admin-conflict": (
        "Another program uses my token, so each of us gets only some of the messages. "
        "End one of them, or ask @BotFather for another token."
    ),
    "admin-token": (
        "Telegram did not know my token for a while. If this happens again, ask @BotFather for a new token."
    ),
    "admin-webhook": (
        "Telegram cannot deliver messages to my webhook; {n:message waits|messages wait} there. My log says why. "
        "Nothing is lost for 24 hours: please check the address, the proxy and the certificate."
    ),
    "admin-part-died": "{part} died of {error} and is started again. My log says more.",
    "admin-worker-left-out": (
        "Worker {worker} ({device}) died {n:time|times} within ten minutes. I use it no more until I am started again;"
        " the other workers go on. Please look at its device and at my log."
    ),
    "admin-machine": "My machine has a problem: {error}. I wait, and go on by myself when it is over.",
    "admin-file-lost": (
        "A file that I had stored cannot be read any more; my log says what it was for. "
        "Please look at my disk. A backup may still have the file."
    ),
    "admin-worker-base": (
        "Worker {worker} cannot load its base, so it neither learns nor draws. My log says why. "
        "I try again and again; <code>python -m bot doctor</code> says what helps."
    ),
    "admin-worker-start": (
        "I cannot start worker {worker}, so it neither learns nor draws. My log says why; mostly memory is short. "
        "I try again and again."
    ),
    "admin-worker-lost": "{n:worker was|workers were} lost in the last hour. My log says what happened before.",
    "admin-report": (
        "🚩 The shared style <b>{keyword}</b> is reported by {n:guest|guests}: {reasons}. /reports shows it."
    ),
    # training
    "too-few-samples": (
        "{n:picture is|pictures are} too few to learn from: send at least {min}. {least}–{most} are best."
    ),
    "captions-lacking": (
        "{n:picture has|pictures have} no words yet: {numbers}. What is on picture {number}? Just write it. "
        "Or train with only the keyword <b>{keyword}</b> for them."
    ),
    "already-training": "I am learning <b>{keyword}</b> already. /status tells how far I am.",
    "too-many-jobs": "You have {most} things going on already. Let one end first, or /cancel one.",
    "too-many-jobs-until": (
        "You have {most} things going on already, the most at one time. The next one ends about {when}; or /cancel one."
    ),
    # what one person may take
    "disk-nearly-full": (
        "My disk is nearly full, so I cannot learn for now. My operator knows. "
        "Your pictures are safe, and I can still draw."
    ),
    "limit-trainings": "{most:training is|trainings are} the most for one day. The next one can start {when}.",
    "limit-pictures": "{most:picture is|pictures are} the most for one day. I draw more for you {when}.",
    "limit-pictures-left": (
        "{most:picture is|pictures are} the most for one day, and you have {left} left. Ask for fewer; more {when}."
    ),
    "limit-styles": "{most:style is|styles are} the most that I keep for one person. /delete makes room at once.",
    "limit-samples": (
        "{most:picture is|pictures are} the most that I keep for one person. "
        "/samples or /delete makes room at once."
    ),
    "limit-bytes": (
        "Your pictures and styles take {most} MB, the most that I keep for one person. "
        "/samples or /delete makes room at once."
    ),
    "limit-updates": (
        "That is too fast for me: {most:message|messages} a minute are the most. "
        "I did not read what came after; send it again {when}."
    ),
    "limit-uploads": (
        "That is too fast for me: {most:picture|pictures} a minute are the most. "
        "I did not take what came after; send it again {when}."
    ),
    "in-seconds": "in {n:second|seconds}",
    "in-minutes": "in {n:minute|minutes}",
    "in-hours": "in {n:hour|hours}",
    "train-headline": "Learning <b>{keyword}</b> from {n:picture|pictures}",
    "train-advice": "With {least}–{most} pictures I learn a look much better than with {n}.",
    "train-bar": "{bar}\nStep {step} of {steps}{left}{loss}",
    "train-loss": " · loss {loss}",
    "train-comparing": "{bar}\nComparing what I have learned, to pick the best{left} …",
    "train-done": "✓ I have learned <b>{keyword}</b>.",
    "train-cancelled": "Learning <b>{keyword}</b> was cancelled.",
    "train-announce": "Your style <b>{keyword}</b> is ready! Try /sticker <i>{example_prompt}</i>",
    "checkpoints": (
        "Here is <b>{keyword}</b> at {n:stage|stages} of learning: each row is one, "
        "with the same things drawn in it."
    ),
    "checkpoints-chosen": "I draw with the row <b>after {step} steps</b>.",
    "checkpoints-ask": "Like another one better? Press it.",
    "checkpoints-yours": "As you chose, I draw with the row <b>after {step} steps</b>.",
    "checkpoints-why-closest": "It looks most like your pictures.",
    "checkpoints-why-copies": "Later ones copy your pictures instead of drawing new things.",
    "checkpoints-why-words": "Others look a little more like your pictures, but listen less to your words.",
    "checkpoints-why-enough": "It has your look already; learning longer added little.",
    "checkpoints-why-longest": "It learned longest, and no other is clearly better.",
    "checkpoints-why-least-bad": (
        "None is really good: each copies your pictures or listens too little to your words. "
        "This one does so least."
    ),
    "checkpoints-older": (
        "That sheet is of an earlier training of <b>{keyword}</b>, which is gone. "
        "/styles shows the looks that there are now."
    ),
    "checkpoints-none": "<b>{keyword}</b> has only one look so far. /train makes more to choose from.",
    "notice-checkpoint": "I draw with that one from now on.",
    "other-base": (
        "I have a new drawing model, and <b>{keyword}</b> was learned on the one before. "
        "Your pictures are all still here: one tap, and I learn it again."
    ),
    "other-base-lent": (
        "<b>{keyword}</b> was learned on an earlier drawing model. It is shared with you, so only its owner can "
        "have it "
        "learned again. /styles shows what else you can draw in."
    ),
    "train-failed": "I could not learn <b>{keyword}</b>. Your pictures are all still here.",
    # the line
    "queue-place": "You are {place:ordinal} in line{about}.",
    "queue-own": "I begin when I am done with what you asked for before{about}.",
    "queue-next": "You are next{about}.",
    "starting": "Starting{about} …",
    "about": ", about {time}",
    "left": " · about {time} left",
    "seconds": "{n:second|seconds}",
    "minutes": "{n:minute|minutes}",
    "hours": "{n:hour|hours}",
    # drawing
    "ask-reply": "Reply to this message.",
    "asked-ended": "All right, nothing changes.",
    "asked-end-words": "stop undo",
    "sure-no-words": "no",
    "sure-yes-words": "yes",
    "sure-press": "I do that by the button only: press it below my question.",
    "sure-open": (
        "I still wait for an answer to this: press a button below it, or write <i>no</i>. Then send that again."
    ),
    "sticker-ask": "What shall I draw? Write it, like <i>{example_prompt}</i>.",
    "talk-thanks": "You are welcome! For the next one, send /sticker and what to draw.",
    "talk-thanks-words": "thanks thank thx ty tysm",
    "talk-thanks-beside": "you so very much a lot bot for that this everything",
    "talk-hello": (
        "Hello! I draw stickers: /sticker <i>{example_prompt}</i>. /new teaches me your style, /help tells the rest."
    ),
    "talk-hello-words": "hi, hello, hey, hiya, hi there, hello there, good morning, good evening, good afternoon, bot",
    "talk-how": "Fine, and ready to draw: /sticker <i>{example_prompt}</i>. /status tells what I am doing.",
    "talk-how-words": (
        "how are you, how are you doing, how do you do, hows it going, how is it going, whats up, what is up, sup, "
        "what are you doing"
    ),
    "talk-help": (
        "I learn to draw stickers in your style. Try it: /sticker <i>{example_prompt}</i>. "
        "/new starts a style of your own, /help tells the rest."
    ),
    "talk-help-words": (
        "what can you do, what do you do, who are you, what are you, are you a bot, how does this work, "
        "how does it work, how do you work, how do i use you, how do i start, what can i do, what now, what next"
    ),
    "talk-else": "Tell me what to draw: /sticker <i>{example_prompt}</i>. My questions are answered by their buttons.",
    "talk-changes": (
        "I cannot draw that. Reply to the sticker with what should change: <i>with a hat</i>, <i>red outline</i>, "
        "<i>another one</i>."
    ),
    "talk-changes-words": (
        "yes yeah no nope ok okay k nice bad bigger larger smaller better worse make it a bit much lol"
    ),
    "sticker-usage": "Tell me what to draw: /sticker <i>{example_prompt}</i>",
    "sticker-only-without": (
        "What shall I draw <i>{words}</i>? Say both, like /sticker {example_prompt} {words}, "
        "or reply with it to a sticker."
    ),
    "option-unknown": (
        "I do not know <code>--{name}</code>. There are {known}. "
        "Like this: /sticker {example_prompt} --cfg 7 --seed 42 --n 2"
    ),
    "option-unknown-meant": (
        "I do not know <code>--{name}</code>. Did you mean <code>--{meant}</code>? There are {known}. "
        "Like this: /sticker {example_prompt} --cfg 7 --seed 42 --n 2"
    ),
    "option-cfg": (
        "<code>--{option}</code> takes a number from 1 to 20, or several, not “{value}”: "
        "/sticker {example_prompt} --{option} 7, or /sticker {example_prompt} --{option} 3,5,8"
    ),
    "option-empty": ("<code>--{name}</code> needs a value: /sticker {example_prompt} --{name} {example}"),
    "option-sweep": "That makes more than {most} stickers at once: /sticker {example_prompt} --cfg 3,5,8 --n 2",
    "option-seed": (
        "<code>--{option}</code> takes a whole number up to {most}, not “{value}”: "
        "/sticker {example_prompt} --{option} 42"
    ),
    "option-no": (
        "<code>--{option}</code> takes words for what shall not be on it: "
        "/sticker {example_prompt} --{option} glasses"
    ),
    "option-strength": (
        "<code>--{option}</code> takes a number from 0 to 1.5, not “{value}”: /sticker {example_prompt} --{option} 0.7"
    ),
    "option-outline": (
        "<code>--{option}</code> takes a colour (white, red, #ff8800) or none, not “{value}”: "
        "/sticker {example_prompt} --{option} red"
    ),
    "option-cutout": (
        "<code>--{option}</code> takes auto, network or none, not “{value}”: "
        "/sticker {example_prompt} --{option} network"
    ),
    "option-style": "<code>--{option}</code> takes the keyword of a style: /sticker {example_prompt} --{option} zuvix",
    "option-style-unknown": "You have no style “{name}”. There is: {names}.",
    "option-style-private": "You have no style “{name}”.",
    "option-n": (
        "<code>--{option}</code> takes a number from 1 to {most}, not “{value}”: "
        "/sticker {example_prompt} --{option} 2"
    ),
    "prompt-too-long": "That is too long: {tokens} tokens, and there is room for {room}. Say it with fewer words.",
    "draw-headline": "Drawing <i>{prompt}</i> · CFG {cfg}",
    "draw-strength": " · style × {strength}",
    "draw-without": " · without <i>{negative}</i>",
    "draw-near": " · more like the one before",
    "cut-outline": " · outline {colour}",
    "cut-outline-none": " · no outline",
    "cut-outline-white": " · white outline",
    "cut-outline-black": " · black outline",
    "cut-network": " · cut out by shape",
    "cut-none": " · with its background",
    "cut-headline": "Cutting <i>{prompt}</i> out again",
    "sweep-caption": "<i>{prompt}</i> with CFG {cfg}, as in a light and in a dark chat",
    "near-too-far": "We have gone a long way from the first one. “Again” starts afresh.",
    "without-ask": "What shall not be on it? Write a few words, like <i>glasses, a hat</i>.",
    "words-ask": "What shall I draw in its place? Write it, and all else stays as it was.",
    "draw-own-words": "Your words: {original}",
    "draw-unknown": "I do not know “{words}”; I draw the rest.",
    "drawn-unknown": "I do not know “{words}”; I drew the rest.",
    "prompt-unknown": "I do not know “{words}”, so there is nothing to draw. Say it in other words, or in English.",
    "draw-bar": "{bar}{left}",
    "draw-done": "<i>{prompt}</i> · CFG {cfg} · seed {seeds}",
    "drawn-part": "{n:sticker|stickers} of {count}.",
    "draw-cancelled": "Drawing <i>{prompt}</i> was cancelled.",
    "sticker-file-lost": "I cannot send one sticker: its file cannot be read any more. Draw it again with /sticker.",
    "drawing-gone": "I do not have that sticker any more. Draw it again with /sticker.",
    "note-no-style": "Drawn without a style: you have none yet. /new starts one.",
    "note-untrained": "Drawn without your style: it is not trained yet. Send pictures, then /train.",
    "note-training": "Drawn without your style: I am still learning it. /status tells what is left.",
    "note-lent": "In <b>{keyword}</b>, which is shared with you.",
    "note-lent-untrained": "Drawn without a style: the one that is shared with you is not trained any more.",
    "note-ready": "In the ready-made style. /new teaches me yours.",
    "note-ready-training": "In the ready-made style. I am still learning yours; /status tells what is left.",
    "note-ready-own": "In the ready-made style. Yours are in /styles.",
    "note-uncompared": (
        "I could not compare what I had learned on the way, so I draw with the last of it. "
        "/train later, and I try again."
    ),
    "note-unfinished": "Drawn with what I have learned of <b>{keyword}</b> so far.",
    "notice-drawing": "Drawing …",
    "notice-cutting": "Cutting it out …",
    # packs
    "notice-old-button": "That button is from an earlier time and does not work any more. /help shows what does.",
    "notice-adding": "Adding to your pack …",
    "notice-added-before": "That is in your pack, or on its way.",
    "pack-added": '{n:sticker|stickers} added to your pack <a href="{link}">{title}</a>.',
    "pack-added-emoji": '{n} custom emoji added to your pack <a href="{link}">{title}</a>.',
    "pack-refused": (
        "Telegram did not take {n:sticker|stickers} into your pack. Press the button to try again."
    ),
    "pack-waits": (
        "Telegram makes your pack wait: about {time}, until {clock} UTC. "
        "I add your stickers then; everything else goes on as usual."
    ),
    "pack-names-refused": (
        "Telegram refused every name that I tried for your pack, so {n:sticker is|stickers are} not in. "
        "Press the button to try again later."
    ),
    "no-packs": "You have no pack yet. Draw with /sticker and press “Add to pack”.",
    "packs": "Your packs:",
    "pack-title": "stickers",
    "pack-line": "{title}: {n:sticker|stickers}",
    "pack-emoji-title": "emoji",
    "packs-line": "{mark} <b>{title}</b>: {n:sticker|stickers}",
    "packs-line-planned": "{mark} <b>{title}</b>: waits for its first sticker",
    "packs-hint": "Press one to see and change it.",
    "packs-hint-chosen": "▸ takes all new stickers; without it, each style has a pack of its own.",
    "pack-head": '<a href="{link}">{title}</a>, {n:sticker|stickers}',
    "pack-takes-new": "▸ New stickers go into this pack.",
    "pack-hint": (
        "Press a number, or reply with <i>delete 3, 5</i>, <i>move 3 to 1</i>, <i>emoji 3 🦊</i>, <i>words 3 "
        "fox, tea</i>, <i>cover 3</i> or <i>title My foxes</i>. /undo takes the last change back."
    ),
    "pack-view-empty": "It is empty. The next sticker that you add goes in.",
    "pack-item": "<b>{title}</b>, sticker {number} of {total}: {emoji}",
    "pack-item-words": "Found by: {words}",
    "pack-item-words-unknown": "I do not know its search words: I did not add it, or it is long ago.",
    "pack-is-gone": "That pack is not on Telegram any more. /packs lists yours.",
    "sticker-not-in-pack": (
        "That sticker is not in the pack any more, so I changed nothing. /packs shows what is there."
    ),
    "sticker-not-replaced": (
        "That sticker could not be replaced: it is not in the pack any more, or Telegram refused the new "
        "one. Nothing is lost; /packs shows what is there."
    ),
    "pack-change-failed": "Telegram refused that change of <b>{title}</b>, so nothing has changed.",
    "pack-emoji-refused": "Telegram does not know one of these emoji, so I changed nothing. Try others.",
    "pack-undone-add": "↩ Taken back: the sticker is out of <b>{title}</b> again.",
    "pack-undone-delete": "↩ Taken back: the sticker is in <b>{title}</b> again.",
    "pack-undone-replace": "↩ Taken back: sticker {number} of <b>{title}</b> is the old one again.",
    "pack-undone-move": "↩ Taken back: the sticker is number {number} of <b>{title}</b> again.",
    "pack-undone-emoji": "↩ Taken back: Telegram suggests sticker {number} of <b>{title}</b> for {value} again.",
    "pack-undone-keywords": "↩ Taken back: sticker {number} of <b>{title}</b> is found by {value} again.",
    "pack-undone-title": "↩ Taken back: the pack is called <b>{title}</b> again.",
    "pack-undone-thumbnail": "↩ Taken back: <b>{title}</b> has its old cover again.",
    "pack-what-add": "the new sticker",
    "pack-what-replace": "the other sticker",
    "pack-what-delete": "the deletion of a sticker",
    "pack-what-move": "the other place of a sticker",
    "pack-what-emoji": "the other emoji",
    "pack-what-keywords": "the other search words",
    "pack-what-title": "the other title",
    "pack-what-thumbnail": "the other cover",
    "pack-done-delete": "✓ Sticker {number} is out of <b>{title}</b>. /undo brings it back.",
    "pack-done-delete-for-good": (
        "✓ Sticker {number} is out of <b>{title}</b>. Telegram did not give me its picture, so I cannot bring it back."
    ),
    "pack-done-replace": "✓ Sticker {number} of <b>{title}</b> is replaced. /undo brings the old one back.",
    "pack-done-replace-for-good": (
        "✓ Sticker {number} of <b>{title}</b> is replaced. Telegram did not give me the old one's picture, so I cannot "
        "bring it back."
    ),
    "pack-done-move": "✓ Sticker {was} is number {number} now. /undo takes it back.",
    "pack-done-emoji": "✓ Telegram suggests sticker {number} for {value} now. /undo takes it back.",
    "pack-done-keywords": "✓ Sticker {number} is found by these words now: {value}. /undo takes it back.",
    "pack-done-title": "✓ The pack is called <b>{title}</b> now. /undo takes it back.",
    "pack-done-thumbnail": "✓ Sticker {number} is the cover of <b>{title}</b> now. /undo takes it back.",
    "pack-done-thumbnail-for-good": (
        "✓ Sticker {number} is the cover of <b>{title}</b> now. Telegram did not give me the old cover, so I cannot "
        "bring it back."
    ),
    "pack-done-drop": "✓ The pack <b>{title}</b> is deleted from Telegram.",
    "pack-title-length": "A title has 1–{most} characters. Try another: /packs",
    "pack-planned": (
        "All new stickers go into <b>{title}</b> from now on. Telegram makes it with its first one: draw "
        "with /sticker and press “Add to pack”."
    ),
    "pack-same-title": "It is called <b>{title}</b> already.",
    "sticker-same-emoji": "Sticker {number} has these emoji already.",
    "sticker-same-words": "Sticker {number} is found by these words already.",
    "pack-ask-new": "How shall the new pack be called? Write its title.",
    "pack-ask-title": "How shall <b>{title}</b> be called from now on? Write the new title.",
    "pack-ask-emoji": "Which emoji shall Telegram suggest sticker {number} for? Send them in one message.",
    "pack-ask-words": (
        "By which words shall sticker {number} be found? Write them with commas, like <i>fox, tea</i>; "
        "64 characters in all."
    ),
    "pack-copy-sure": (
        "Make a pack of custom emoji, 100 pixels large, of <b>{title}</b> ({n:sticker|stickers})? "
        "Everybody can add it; sending them needs Telegram Premium. /undo does not take it back, but you can delete "
        "it in /packs."
    ),
    "pack-copying": "I make {n:custom emoji|custom emoji} of these stickers. /packs will list them.",
    "pack-copied-before": "All of these stickers are custom emoji already, or on their way. /packs lists them.",
    "pack-drop-sure": (
        "Delete the pack <b>{title}</b> with its {n:sticker|stickers} from Telegram? Nobody has it any "
        "more then, and it cannot be undone. The drawings in this chat stay."
    ),
    "sticker-there-already": "Sticker {number} is there already.",
    "sticker-no-emoji": "I see no emoji in that. Send one or several, like 🦊☕",
    "sticker-no-words": "I see no words in that. Write some, like <i>fox, tea</i>.",
    "pack-replace-which": (
        "Which sticker of <b>{title}</b> shall go, to make place for the new one? Press its number."
    ),
    "pack-replace-by-which": (
        "By which drawing shall sticker {number} be replaced? These are your newest that are in no pack."
    ),
    "pack-nothing-drawn": "There is no drawing that is not in a pack. Draw one with /sticker first.",
    "pack-order-which": "In which pack? Open it in /packs, and reply to it with the same words.",
    "pack-order-usage": (
        "Like this: /packs <i>delete 3</i>, <i>move 3 to 1</i>, <i>emoji 3 🦊</i>, <i>words 3 fox, "
        "tea</i>, <i>cover 3</i>, <i>title My foxes</i>. /packs shows the numbers."
    ),
    "pack-words-new": "new",
    "pack-words-delete": "delete remove",
    "pack-words-move": "move",
    "pack-words-to": "to before",
    "pack-words-emoji": "emoji emojis",
    "pack-words-keywords": "words keywords",
    "pack-words-cover": "cover thumbnail",
    "pack-words-title": "title rename",
    "pack-number": "There is no sticker {number}: <b>{title}</b> has {n:sticker|stickers}. /packs shows them.",
    "pack-not-seen": (
        "Telegram does not let me look into <b>{title}</b> at the moment, so I do not know its numbers. "
        "Nothing is lost. Try again in a minute."
    ),
    "undo-later": "That is being done this moment. Try again in a few seconds.",
    "undo-words-unknown": (
        "I do not know which search words were there before, so I cannot bring them back. Another <i>undo</i> takes "
        "back what was changed before that."
    ),
    "undo-sticker-lost": (
        "Telegram did not give me the picture that was there before, so I cannot bring it back. Another <i>undo</i> "
        "takes back what was changed before that."
    ),
    "undo-replaced-gone": (
        "The sticker that took the old one's place is not in the pack any more. Another <i>undo</i> takes back what "
        "was changed before that."
    ),
    "notice-pack-changing": "Changing your pack …",
    "notice-pack-chosen": "New stickers go into this pack.",
    "notice-pack-auto": "Each style fills its own pack again.",
    # status and cancelling
    "status-style": "Style <b>{keyword}</b>: {pictures}, {state}.",
    "status-idle": "Nothing is going on. /sticker draws, /train learns.",
    "nothing-to-cancel": "Nothing is going on that could be cancelled.",
    "nothing-to-cancel-but-undo": "Nothing is going on that could be cancelled. Shall I take your last change back?",
    "cancel-which": "Which one?",
    "cancel-train": "Learning {keyword}",
    "cancel-cutout": "Cutting out {keyword}",
    "cancel-draw": "{prompt} · CFG {cfg}",
    "cancel-too-late": "That one is over already.",
    "cancelled": "Cancelled.",
    "notice-cancelling": "Cancelling …",
    # why a job failed, by the keys of lora.jobs.JOB_ERRORS
    "error-bad-picture": "One of the pictures cannot be read. /samples shows them; remove the broken one.",
    "error-caption-too-long": "A caption or the prompt is too long for me.",
    "error-other-base": (
        "I have a new drawing model, and this style was learned on the one before. "
        "Your pictures are all still here: /train teaches it to me again."
    ),
    "error-other-base-lent": "This style was learned on another drawing model, so I cannot draw in it now.",
    "error-share-ended": "This style is not shared with you any more, so I have stopped.",
    "error-bad-adapter": "What I learned of this style is damaged. /train it again.",
    "error-too-many-steps": "My base model cannot draw in so many steps. Please tell whoever runs me.",
    "error-not-a-number": "Learning went astray. Try /train once more, perhaps with other pictures.",
    "prompt-undrawn": "Your words hold something that I do not draw: whoever runs me has chosen so. Try other words.",
    "error-unsafe-samples": (
        "Some pictures look like nudity or sex to my filter, and I do not learn from such pictures. "
        "The message of this training names them: take them out in /samples, then /train again. "
        "If my filter is wrong, tell whoever runs me."
    ),
    "error-unsafe-drawing": (
        "The drawing came out as something that I do not send. Draw again, or say it another way. "
        "If your words were harmless, it was chance."
    ),
    "error-empty-cutout": "Nothing was left when I cut it out. Try again, or say it another way.",
    "error-out-of-memory": "My machine ran out of memory. Try again later, or with fewer pictures.",
    "error-stored-file": "I cannot read a file any more that I had stored for this. Please tell whoever runs me.",
    "error-internal": "Something went wrong on my side. Try again later.",
    # buttons
    "button-cancel": "✕ Cancel",
    "button-add": "➕ Add to pack",
    "button-added": "✓ In your pack",
    "button-add-all": "➕ Add all to pack",
    "button-again": "🔁 Again",
    "button-cfg": "CFG {cfg}",
    "button-cfg-freer": "freer · {cfg}",
    "button-cfg-usual": "as usual · {cfg}",
    "button-cfg-stricter": "stricter · {cfg}",
    "button-near": "✨ More like this",
    "button-menu-cut": "✂️ Outline",
    "button-menu-draw": "⚙️ More",
    "button-outline-none": "no outline",
    "button-outline-white": "white",
    "button-outline-black": "black",
    "button-cutout-auto": "cut out by the background's colour",
    "button-cutout-network": "cut out by shape",
    "button-cutout-none": "leave the background",
    "button-many": "{n} more",
    "button-compare": "🔍 Compare {n:way|ways} on one sheet",
    "button-strength-weaker": "less style · {x}",
    "button-strength-trained": "as learned · {x}",
    "button-strength-stronger": "more style · {x}",
    "button-other-words": "✏️ Other words",
    "button-draw-words": "🎨 Draw “{words}”",
    "button-unask": "✕ Cancel",
    "button-without": "🚫 Without …",
    "button-back": "‹ Back",
    "button-private": "Open our chat",
    "button-open-pack": "Open the pack",
    "button-replace": "🔁 Replace one in the pack",
    "button-packs": "All packs",
    "button-pack-new": "➕ New pack",
    "button-pack-show": "Show the pack",
    "button-pack-back": "‹ The whole pack",
    "button-pack-title": "✎ Title",
    "button-pack-use": "▸ New stickers here",
    "button-pack-auto": "A pack for each style",
    "button-pack-copy": "✨ As custom emoji",
    "button-pack-copy-sure": "✨ Yes, make them",
    "button-pack-drop": "✕ Delete the pack",
    "button-pack-drop-sure": "Delete it from Telegram",
    "button-item-first": "⏮ First",
    "button-item-earlier": "◀ Earlier",
    "button-item-later": "Later ▶",
    "button-item-emoji": "🙂 Emoji",
    "button-item-words": "🔎 Search words",
    "button-item-cover": "🖼 Cover of the pack",
    "button-item-replace": "🔁 Replace",
    "button-item-delete": "✕ Delete",
    "button-keep-drafts": "✓ Keep the drafts",
    "button-train-bare": "Train with the keyword only",
    "button-checkpoint": "after {step} steps",
    "button-checkpoint-used": "✓ after {step} steps",
    "button-checkpoints": "🎨 Choose its look",
    "button-train-anyway": "Train anyway",
    "button-train-again": "🔁 Train again",
    "button-take-pack": "➕ All {n} of “{title}”",
    "button-stop-import": "✕ Stop",
    "button-fix-duplicates": "🧹 Remove the duplicates",
    "button-fix-captions": "✍️ Draft the missing captions",
    "button-fix-background": "✂️ Cut out the backgrounds",
    "button-undo": "↩ Undo",
    "button-remove": "✕ Remove a picture",
    "button-delete": "Delete it",
    "button-leave": "✕ Remove",
    "button-report": "🚩 Report",
    "button-report-unsafe": "Unsafe pictures",
    "button-report-work": "Somebody else's work",
    "button-report-other": "Something else",
    "button-report-leave": "✕ Remove it from my styles",
    "button-ban-owner": "✕ End sharing and ban the owner",
    "button-share-allow": "↩ Allow it again",
    "button-dismiss": "✓ Dismiss",
    "button-share-renew": "🔄 New link",
    "button-share-end": "✕ End sharing",
    "button-export-diffusers": "For diffusers (.safetensors)",
    "button-export-kohya": "For A1111 and ComfyUI (.safetensors)",
    "button-export-samples": "Pictures and captions (zip)",
    "button-forget": "Delete everything, keep my packs",
    "button-forget-packs": "Delete everything and my packs",
}
