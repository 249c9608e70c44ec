"""What a program can do about findings: drop duplicates, draft missing captions, cut out busy backgrounds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bot.blobs import Blobs
from bot.errors import Buttons
from bot.sample_words import lacking
from bot.tables.samples import CaptionOrigin, Sample
from bot.words import Words
from lora.data import captions, pictures
from lora.jobs import Finding

DUPLICATES, BACKGROUND = "near-duplicates", "busy-background"  # codes of findings


def buttons(words: Words, style: int, found: Sequence[Sample], findings: Sequence[Finding]) -> Buttons:
    """The buttons of ``offers`` in the person's language."""
    return words.buttons(offers(style, found, findings))


def offers(style: int, found: Sequence[Sample], findings: Sequence[Finding]) -> Buttons:
    """A button for each fix that there is something to do for, as (key, callback data)."""
    codes = {finding.code for finding in findings}
    known = [
        ("button-fix-duplicates", f"fix:duplicates:{style}", DUPLICATES in codes),
        ("button-fix-captions", f"fix:captions:{style}", bool(drafts(found, findings).all)),
        ("button-fix-background", f"fix:background:{style}", BACKGROUND in codes),
    ]
    return [[(key, data)] for key, data, useful in known if useful]


@dataclass(frozen=True, kw_only=True)
class Drafts:
    """Captions for samples without one, by id."""

    from_emoji: dict[int, str]
    copied: dict[int, str]  # from a picture that is almost the same

    @property
    def all(self) -> dict[int, str]:
        """Both."""
        return self.from_emoji | self.copied


def drafts(found: Sequence[Sample], findings: Sequence[Finding]) -> Drafts:
    """The captions that can be drafted."""
    made = Drafts(from_emoji={}, copied={})
    alike = [[found[number - 1] for number in one.samples] for one in findings if one.code == DUPLICATES]
    for sample in lacking(list(found)):
        others = [other for group in alike if sample in group for other in group]
        words = [other.caption for other in others if other.caption]
        if draft := captions.draft_from_emoji(sample.emoji):
            made.from_emoji[sample.id] = draft
        elif words:
            made.copied[sample.id] = words[0]
    return made


async def surplus(blobs: Blobs, found: Sequence[Sample], findings: Sequence[Finding]) -> list[Sample]:
    """Of each group of pictures that are almost the same, all but the best one."""
    dropped = []
    for finding in findings:
        if finding.code == DUPLICATES:
            group = [found[number - 1] for number in finding.samples]
            worth = {sample.id: await _worth(blobs, sample) for sample in group}
            best = max(group, key=lambda sample: worth[sample.id])
            dropped += [sample for sample in group if sample is not best]
    return sorted(dropped, key=lambda sample: sample.number)


async def _worth(blobs: Blobs, sample: Sample) -> tuple[bool, int, bool, int]:
    """With transparency, large, captioned by the person, early: what makes one of two equal pictures the better one."""
    info = pictures.check(await blobs.read(sample.blob))
    own_words = sample.caption_from == CaptionOrigin.PERSON
    return info.has_alpha, info.width * info.height, own_words, -sample.number
