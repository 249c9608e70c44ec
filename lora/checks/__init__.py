"""What is wrong with a set of samples, found before a training: every kind of finding, in words.

The checks of ``captions`` and ``pictures`` need no torch and take milliseconds; ``lettering`` reads pictures with
an OCR network, ``unsafe`` has the operator's filter, ``detail`` needs the base. A finding names samples by number and
never holds anybody's text.

Imports ``safety``, ``data`` and ``models``. What the bot uses (this file, ``captions``, ``pictures``, ``share``)
imports no torch.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from lora.checks import captions, pictures
from lora.jobs import Finding, Sample


@dataclass(frozen=True, kw_only=True)
class Kind:
    """One kind of finding for the terminal: what it is, why it matters, what to do.

    ``says`` may have a place for the finding's ``{detail}`` or ``{fault}``, ``advice`` one for ``{words}`` that
    would do as a keyword.
    """

    says: str
    why: str
    advice: str


KINDS: Mapping[str, Kind] = {
    "unreadable": Kind(
        says="cannot be used: {fault}",
        why="a training needs every line of the table and every picture that it names",
        advice="repair or remove it",
    ),
    "unlisted": Kind(
        says="no line of the table names this picture, or it has no caption file",
        why="a picture without a caption is not trained with",
        advice="give it a caption, or take it out of the folder; python -m lora caption writes the lines",
    ),
    "unsafe": Kind(
        says="the filter takes the picture for an unsafe one",
        why="a style is not learned from such pictures",
        advice="take the picture out; the operator chooses filter and threshold in [safety]",
    ),
    "few-pictures": Kind(
        says="few pictures: {detail}",
        why="with few pictures the adapter copies them instead of learning their look",
        advice="add more; 20 to 50 are a good number",
    ),
    "many-pictures": Kind(
        says="many pictures: {detail}",
        why="past 50 or so more pictures rarely make a look clearer, and odd ones blur it",
        advice="keep the 20 to 50 that show the look best",
    ),
    "keyword-none": Kind(
        says="the captions share no keyword",
        why="without a word of its own the look gets mixed up with what the other words mean",
        advice="give an invented word as --keyword, which is put into every caption, such as {words}",
    ),
    "keyword-missing": Kind(
        says="the caption lacks the keyword",
        why="the look is tied to the keyword only where the caption says it",
        advice="give --keyword to the training, which puts it in, or write it",
    ),
    "keyword-other": Kind(
        says="the caption begins with what looks like another style's keyword: {detail}",
        why="it shares the look with the keyword, and a prompt without it gets less of the look",
        advice="take it out of the captions",
    ),
    "keyword-unfit": Kind(
        says="the keyword is not a good one: {detail}",
        why="a keyword should mean nothing to the base yet, and take few tokens",
        advice="take an invented word of 3 to 20 letters, such as {words}",
    ),
    "caption-empty": Kind(
        says="the caption says nothing but the keyword",
        why="what is not named in words becomes part of the look and turns up in every drawing",
        advice="say in a few words what is to be seen",
    ),
    "caption-short": Kind(
        says="the caption is very short",
        why="what is not named in words becomes part of the look",
        advice="say what is to be seen and what it does, like: a red fox waving",
    ),
    "caption-too-long": Kind(
        says="the caption has {detail}",
        why="the base reads 77 tokens, of which start, end, keyword and the words for the background take some: it "
        "would never read the rest",
        advice="shorten it",
    ),
    "captions-several": Kind(
        says="a list of captions, of which only the first is trained with",
        why="the reference script picks one of the list at random each time; here a picture has one caption",
        advice="put the one that says best what is to be seen first",
    ),
    "captions-same": Kind(
        says="the same caption on several pictures",
        why="where the words are the same, what differs between the pictures cannot be asked for later",
        advice="say on each what sets it apart",
    ),
    "style-unsaid": Kind(
        says="the caption says neither that this is a sticker, nor in which style",
        why="nothing in the words stands for the look, so there is nothing to ask for it with",
        advice="put the keyword in; it stands for both. A description of the look beside it (“sticker, flat "
        "colours”) is for captions without a keyword: said in all of them it takes its share of the look, and "
        "was measured to make it slightly weaker",
    ),
    "style-uneven": Kind(
        says="the caption names the medium (“sticker”, “cartoon” …) or leaves it out, unlike most others",
        why="what only some captions say is learned as something that can be left away",
        advice="say it in all captions or, if they have a keyword, better in none",
    ),
    "blank-picture": Kind(
        says="nothing is to be seen on the picture: it is of one colour all over",
        why="there is no drawing to learn from, and its caption is learned as an empty picture",
        advice="take it out, or export the drawing again",
    ),
    "no-alpha": Kind(
        says="the picture has no transparency",
        why="its background is learned as a part of the look",
        advice="use a file with transparency (PNG, WebP) where there is one; a plain background is tolerable",
    ),
    "busy-background": Kind(
        says="the drawing stands before a background of many colours",
        why="the background is learned as a part of the look, and cut-outs of later drawings suffer",
        advice="cut the drawing out and use a PNG or WebP with transparency",
    ),
    "small-picture": Kind(
        says="the drawing is only {detail} px wide and high",
        why="it is enlarged for the training, and the adapter learns its blur",
        advice="use a larger original",
    ),
    "near-duplicates": Kind(
        says="almost the same picture, perhaps mirrored",
        why="what is shown twice is learned twice as strongly, and copied",
        advice="keep one of them",
    ),
    "lettering": Kind(
        says="there is lettering on the picture",
        why="it is learned as a part of the look and comes out as scribble; mirrored, it teaches nonsense",
        advice="take the lettering off or the picture out; if it must stay, train with --no-random_flip",
    ),
    "fine-detail": Kind(
        says="lost in the base's VAE: only {detail} dB are left after a round trip",
        why="what the VAE cannot hold, no adapter of this base can draw",
        advice="use drawings with thicker lines and flatter colours, or a base with a better VAE",
    ),
}


def look(samples: Sequence[Sample], keyword: str, *, side_px: int = pictures.LEAST_SIDE_PX) -> list[Finding]:
    """What the quick checks find, the worst first. ``side_px`` is the side that the base trains at.

    One picture at a time is decoded. Raises PictureError.
    """
    texts = [sample.caption for sample in samples]
    looks = [pictures.summarise(sample.picture) for sample in samples]
    return in_order([*captions.check(texts, keyword), *pictures.check(looks, side_px)])


def in_order(findings: Sequence[Finding]) -> list[Finding]:
    """The worst first, else in the order of ``KINDS``."""
    severities, codes = ("error", "warning", "advice"), list(KINDS)
    return sorted(findings, key=lambda f: (severities.index(f.severity), codes.index(f.code), f.samples))
