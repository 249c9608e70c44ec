"""What the bot answers about samples: how many came, which lack words, what to do next."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bot.config import Train
from bot.errors import Buttons
from bot.tables.refusals import Refusal
from bot.tables.samples import CaptionOrigin, Sample
from bot.tables.styles import Style
from bot.words import Html, Words, clip
from lora.data import captions

KEPT = "no-style-kept"  # the refusal of what waits for a style


SUGGESTED = 3  # keywords on buttons
SHOWN = 15  # numbers in one line


@dataclass(frozen=True, kw_only=True)
class Repeat:
    """A picture that was here before, as the sample with this id. ``clearer``: the sample has the new file now."""

    sample: int
    clearer: bool


def refused(words: Words, burst: list[Refusal]) -> tuple[str, Buttons]:
    """Why pictures were not taken: the reason of a single one, or each reason with its number of pictures."""
    lines: list[str] = []
    for key in dict.fromkeys(refusal.key for refusal in burst):
        same = [refusal for refusal in burst if refusal.key == key]
        reason = words(key, **same[-1].params | {"n": len(same)})
        if len(burst) > 1 and key != KEPT:
            reason = words("pictures-refused", n=len(same), reason=Html(reason))
        lines.append(reason)
    buttons: Buttons = []
    if any(refusal.key == KEPT for refusal in burst):
        found = captions.suggest_keywords(SUGGESTED, seed=burst[0].message_id)
        buttons = [[(word, f"new:{word}") for word in found]]
    return "\n".join(lines), buttons


def summary(
    words: Words,
    style: Style,
    everything: list[Sample],
    burst: list[Sample],
    settings: Train,
    repeats: Sequence[Repeat],
    *,
    uneven: tuple[int, int] | None = None,
) -> tuple[str, Buttons]:
    """The answer to new pictures: their captions, what is missing, and the next step.

    ``uneven``: lines and pictures of an album whose lines could not be dealt out.
    """
    lines = [words("samples-new", n=len(burst), total=len(everything), keyword=style.keyword)]
    lines += repeated(words, everything, repeats)
    if uneven is not None:
        lines.append(words("album-uneven", lines=uneven[0], n=uneven[1]))
    more, buttons = details(words, style, everything, burst, settings)
    return "\n".join(lines + more), buttons


def repeated(words: Words, everything: list[Sample], repeats: Sequence[Repeat]) -> list[str]:
    """What is to say of pictures that were here before."""
    clearer = {repeat.sample for repeat in repeats if repeat.clearer}
    lines = []
    if again := [repeat for repeat in repeats if not repeat.clearer and repeat.sample not in clearer]:
        ids = {repeat.sample for repeat in again}
        shown = numbers([sample for sample in everything if sample.id in ids])
        lines.append(words("samples-repeated", n=len(again), numbers=shown))
    if shown := numbers([sample for sample in everything if sample.id in clearer]):
        lines.append(words("samples-clearer", n=len(clearer), numbers=shown))
    return lines


def details(
    words: Words, style: Style, everything: list[Sample], burst: list[Sample], settings: Train
) -> tuple[list[str], Buttons]:
    """What is to say of new pictures' captions, and the next step."""
    lines = [called(words, sample) for sample in burst if len(burst) == 1 and sample.caption]
    lines += too_long(words, style, [sample for sample in burst if sample.refused_tokens])
    drafts = [sample for sample in burst if sample.caption_from == CaptionOrigin.DRAFT]
    if len(burst) > 1 and drafts:
        example = clip(drafts[-1].caption or "", 80)
        number = drafts[-1].number
        lines.append(words("samples-drafted", n=len(drafts), example=example, number=number))
    if len(burst) > 1:
        lines += translated(words, burst)
    if first_photo(everything, burst):
        lines.append(words("samples-photo"))
    if missing := lacking(everything):
        lines.append(words("samples-lacking", numbers=numbers(missing), number=missing[-1].number))
    lines.append(next_step(words, len(everything), settings))
    buttons = words.buttons([[("button-keep-drafts", f"drafts:{style.id}")]]) if drafts else []
    return lines, buttons


def too_long(words: Words, style: Style, found: list[Sample]) -> list[str]:
    """The line on pictures whose captions were too long: at most one, so that it always fits."""
    room = captions.room(style.keyword)
    if len(found) > 1:
        shown = numbers(found)
        return [words("sample-captions-refused", numbers=shown, room=room, keyword=style.keyword)]
    return [
        words(
            "sample-caption-refused",
            number=sample.number,
            tokens=sample.refused_tokens,
            room=room,
            keyword=style.keyword,
        )
        for sample in found
    ]


def called(words: Words, sample: Sample) -> str:
    """A picture's number and caption."""
    key = "sample-drafted" if sample.caption_from == CaptionOrigin.DRAFT else "sample-called"
    line = words(key, number=sample.number, caption=clip(sample.caption or "", 600))
    if sample.caption_original is not None:
        line = f"{line} {words('from-own-words', original=clip(sample.caption_original))}"
    if sample.caption_unknown:
        line = f"{line}\n{words('caption-unknown', words=clip(sample.caption_unknown))}"
    return line


def translated(words: Words, burst: list[Sample]) -> list[str]:
    """How many captions of a burst were translated, with an example, and the words that nobody knew."""
    lines = []
    done = [sample for sample in burst if sample.caption_original is not None]
    if done:
        shown = next((sample for sample in done if not sample.caption_unknown), done[0])
        example, original = clip(shown.caption or "", 80), clip(shown.caption_original or "", 80)
        lines.append(words("samples-translated", n=len(done), example=example, original=original))
    if unknown := dict.fromkeys(sample.caption_unknown for sample in burst if sample.caption_unknown):
        lines.append(words("caption-unknown", words=clip(", ".join(unknown))))
    return lines


def pictures_of(words: Words, style: Style) -> str:
    """How many pictures a style has, or that it came as a file."""
    if style.samples:
        return words.plain("style-pictures", n=style.samples)
    return words.plain("style-from-file" if style.imported else "style-no-pictures")


def none_of(style: Style) -> str:
    """The text about a style without samples."""
    return "imported-no-samples" if style.imported else "samples-none"


def lacking(found: list[Sample]) -> list[Sample]:
    """The samples without any caption."""
    return [sample for sample in found if sample.caption is None]


def numbers(found: list[Sample]) -> str:
    """Their numbers as a list: 3, 5, 6 …"""
    shown = ", ".join(str(sample.number) for sample in found[:SHOWN])
    return shown if len(found) <= SHOWN else f"{shown}, …"


def removed(words: Words, numbers: Sequence[int], left: int) -> str:
    """Which pictures were removed, by the numbers that they had, and that others have new numbers now."""
    shown = ", ".join(map(str, numbers[:SHOWN])) + (", …" if len(numbers) > SHOWN else "")
    text = words("samples-removed", numbers=shown, n=left)
    return f"{text} {words('samples-renumbered')}" if min(numbers) <= left else text


def first_photo(everything: list[Sample], burst: list[Sample]) -> bool:
    """Whether these are the style's first photos: once is enough for the hint on transparency."""
    mine = {sample.id for sample in burst}
    return any(s.kind == "photo" for s in burst) and not any(
        s.kind == "photo" for s in everything if s.id not in mine
    )


def next_step(words: Words, count: int, settings: Train) -> str:
    """What to do now that there are ``count`` samples."""
    least, most = settings.advised_samples
    if count < settings.min_samples:
        return words("next-more", n=settings.min_samples - count, least=least, most=most)
    return words("next-train-or-more" if count < least else "next-train", least=least, most=most)


def undo_button(words: Words, change: int | None) -> Buttons:
    """The button that takes a change back; none if there is no change."""
    return words.buttons([[("button-undo", f"undo:{change}")]]) if change is not None else []
