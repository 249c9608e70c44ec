"""Findings on a style's samples in the person's language: one line for each kind."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from bot import decoding
from bot.blobs import Blobs
from bot.errors import UserError
from bot.sample_words import numbers
from bot.tables.samples import Sample
from bot.words import Html, Words
from lora import checks
from lora.checks import captions, pictures
from lora.data.shrink import open_apart
from lora.jobs import Finding

# The codes that can occur in a chat: keywords, long captions and bad files are refused earlier.
TEXTS = {
    "keyword-other": "finding-keyword-other",
    "caption-empty": "finding-caption-empty",
    "caption-short": "finding-caption-short",
    "captions-same": "finding-captions-same",
    "style-uneven": "finding-style-uneven",
    "few-pictures": "finding-few-pictures",
    "many-pictures": "finding-many-pictures",
    "blank-picture": "finding-blank-picture",
    "no-alpha": "finding-no-alpha",
    "busy-background": "finding-busy-background",
    "small-picture": "finding-small-picture",
    "near-duplicates": "finding-near-duplicates",
    "unsafe": "finding-unsafe",
    "lettering": "finding-lettering",
    "fine-detail": "finding-fine-detail",
}
SHOWN = 15  # numbers in one line


async def find(blobs: Blobs, samples: Sequence[Sample], keyword: str) -> list[Finding]:
    """The findings of the quick checks. One picture is decoded at a time, in a thread.

    Raises UserError that names the samples whose files are lost or damaged.
    """
    seen = {
        sample.id: await decoding.in_turn(decoding.shown_or_lost(partial(_summary, blobs, sample.blob)))
        for sample in samples
    }
    if lost := [sample for sample in samples if seen[sample.id] is None]:
        raise UserError("samples-lost", n=len(lost), numbers=numbers(lost), number=lost[0].number)
    looks = [look for look in seen.values() if look is not None]
    texts = [sample.caption or keyword for sample in samples]
    found = [*captions.check(texts, keyword), *pictures.check(looks)]
    return [finding for finding in checks.in_order(found) if finding.code in TEXTS]


def _summary(blobs: Blobs, name: str) -> pictures.PictureSummary:
    return pictures.summarise(blobs.read_now(name), open_apart)


def worded(words: Words, findings: Sequence[Finding]) -> list[str]:
    """One line for each code, with the numbers of all its pictures."""
    lines = []
    for code in dict.fromkeys(finding.code for finding in findings if finding.code in TEXTS):
        same = [finding for finding in findings if finding.code == code]
        lines.append(words(TEXTS[code], numbers=Html(_numbers(code, same)), detail=same[0].detail))
    return lines


def _numbers(code: str, findings: Sequence[Finding]) -> str:
    """3, 5, 6 …; where pictures belong together, 3 = 7, 4 = 9 = 12."""
    if code in ("captions-same", "near-duplicates"):
        groups = [" = ".join(map(str, finding.samples)) for finding in findings]
    else:
        groups = [str(number) for finding in findings for number in finding.samples]
    return ", ".join(groups[:SHOWN]) + (", …" if len(groups) > SHOWN else "")
