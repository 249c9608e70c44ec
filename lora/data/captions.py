"""Captions, prompts and keywords as CLIP's tokenizer sees them: counts, rules, drafts. No torch here.

The merges are OpenAI's own (``bundled/bpe_simple_vocab_16e6.txt.gz``). OpenAI's tokenizer repairs a text with
ftfy and unescapes HTML before it splits it; the one in transformers 5 does not. So ``normalise`` does it, in
training and in drawing alike, and from there on the ids of all three agree.
"""

from __future__ import annotations

import gzip
import html
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from random import Random

import ftfy
from tokenizers import Regex, Tokenizer, normalizers, pre_tokenizers, processors
from tokenizers.models import BPE

from lora.data.visible import visible

MAX_TOKENS = 77  # what the text encoder reads, its start and end tokens included
MAX_KEYWORD_TOKENS = 4
# Of what is added to a caption or prompt: a style that the bundled base knows, and a background.
LONGEST_ENDING = ", noto classic, magenta background"
BOS, EOS = "<|startoftext|>", "<|endoftext|>"

_MERGES = Path(__file__).parents[1] / "bundled" / "bpe_simple_vocab_16e6.txt.gz"
_SPLIT = r"""<\|startoftext\|>|<\|endoftext\|>|'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+"""
_KEYWORD = re.compile(r"(?=.{3,20}$)[a-z][a-z0-9]*(?:[_-][a-z0-9]+)*")
_SKIN_TONES = "\U0001f3fb-\U0001f3ff"
_JOINER = "\u200d"  # makes one emoji of two; some pairs are none
# Unicode lists them as emoji, but without the invisible sign that asks for a coloured form they are typography.
_TEXT_SIGNS = frozenset("©®™‼⁉ℹ↔↕↖↗↘↙↩↪⤴⤵⬅⬆⬇▪▫▶◀◻◼Ⓜ〰〽㊗㊙")
_PIECE = 512  # characters
_LONGEST_EMOJI = 16  # characters, at least; the longest ones have 10
_ENDINGS = ("s", "es", "ed", "ing", "er", "ers", "y", "ly", "ish", "like", "ness", "less", "ful")
_RUDE = "fuc fuk shi nig fag sex cun nazi puta hui pizd tit cum coc dic"  # never inside what we suggest


def normalise(text: str) -> str:
    """The text as the tokenizer should get it: mojibake and HTML entities undone, whitespace collapsed.

    Emoji become their English names, for the tokenizer has only bytes for them: "a 🦊!" is "a fox!".
    """
    text = visible(html.unescape(html.unescape(ftfy.fix_text(text))))
    text = text if text.isascii() else _emoji_in_words(text)
    return " ".join(text.replace(BOS, " ").replace(EOS, " ").split())


def _emoji_in_words(text: str) -> str:
    """A text with each run of emoji replaced by their names, each name once. Emoji without a name stay."""
    pieces, place = [], 0
    for start, end, names in _emoji_runs(text):
        before = text[place:start]
        pieces += [before, " " * before[-1:].isalnum(), ", ".join(dict.fromkeys(names))]
        pieces.append(" " * text[end : end + 1].isalnum())
        place = end
    return "".join([*pieces, text[place:]])


def _emoji_runs(text: str) -> list[tuple[int, int, list[str]]]:
    """(start, end, names) of emoji that stand together, with nothing but blanks between them."""
    runs: list[tuple[int, int, list[str]]] = []
    for start, end in _emoji_places(text):
        name = _name(text[start:end])
        if not name or text[start:end] in _TEXT_SIGNS:
            continue
        if runs and not text[runs[-1][1] : start].strip(f"{_JOINER} \t\n"):
            first, _, names = runs.pop()
            names.append(name)
            runs.append((first, end, names))
        else:
            runs.append((start, end, [name]))
    return runs


def _emoji_places(text: str) -> Iterator[tuple[int, int]]:
    """(start, end) of all emoji. The library takes the square of a text's length, so it gets a long one in pieces.

    A piece ends before the first emoji that may go on behind it.
    """
    import emoji

    place = 0
    while place < len(text):
        piece = text[place : place + _PIECE]
        cut = len(piece) if place + len(piece) == len(text) else len(piece) - _LONGEST_EMOJI
        for match in emoji.emoji_list(piece):
            if match["match_end"] > cut:
                cut = min(cut, match["match_start"])
                break
            yield place + match["match_start"], place + match["match_end"]
        place += cut


def encode(text: str) -> list[int]:
    """Ids of CLIP's tokens with the start and the end token, neither cut nor padded."""
    return _tokenizer().encode(normalise(text)).ids


def count_tokens(text: str) -> int:
    """How many of the ``MAX_TOKENS`` a text takes, the start and the end token included."""
    return len(encode(text))


@dataclass(frozen=True, kw_only=True)
class Length:
    """How many tokens a text has beside its keyword, and how many there may be."""

    tokens: int
    room: int

    @property
    def fits(self) -> bool:
        """Whether the text encoder reads all of it."""
        return self.tokens <= self.room

    def __str__(self) -> str:
        return f"{self.tokens} tokens; {self.room} fit"


def room(keyword: str = "", background: str = LONGEST_ENDING) -> int:
    """How many tokens a caption or prompt may have: what the start, the end, the keyword and the background leave."""
    return MAX_TOKENS - count_tokens(keyword + background)


def length(text: str, keyword: str = "", background: str = LONGEST_ENDING) -> Length:
    """How long a caption or prompt is, judged as the base will read it: keyword in front, background behind.

    ``background`` is what a base adds on the background at hand; without it, what fits here fits every base.
    """
    whole = (with_keyword(text, keyword) if keyword else text) + background
    most = room(keyword, background)
    return Length(tokens=count_tokens(whole) + most - MAX_TOKENS, room=most)


def has_keyword(caption: str, keyword: str) -> bool:
    """Whether the caption says the keyword as a word of its own, in any case."""
    return re.search(rf"(?<!\w){re.escape(keyword)}(?!\w)", caption, re.IGNORECASE) is not None


def with_style_words(text: str, words: str) -> str:
    """The caption or prompt with words of a style at its end, as in ``a fox, fluent flat``; no words change nothing."""
    return f"{text}, {words}" if words else text


def without_keyword(caption: str, keyword: str) -> str:
    """The caption without its keyword, if there is one, whitespace collapsed."""
    if keyword:
        caption = re.sub(rf"(?<!\w){re.escape(keyword)}(?!\w)", " ", caption, flags=re.IGNORECASE)
    return " ".join(caption.split())


def with_keyword(caption: str, keyword: str) -> str:
    """The caption with its keyword: put in front, as the base learned its styles' names, if missing."""
    return caption if has_keyword(caption, keyword) else f"{keyword} {caption}".strip()


def without_punctuation(text: str) -> str:
    """Words and the commas between them, which is how the base's captions are written; numbers stay whole."""
    text = re.sub(r"[:;=]-?[)(DPdp](?!\w)|[«»“”„\"*]", " ", text)
    text = re.sub(r"[.!?…;:]+(?=\s|$|[,.!?])|[()\[\]{}]|(?<!\S)[-–—]+(?!\S)", ", ", text)
    parts = (" ".join(part.split()) for part in re.split(r",(?!\d)", text))
    return ", ".join(part for part in parts if part)


def renamed(caption: str, old: str, new: str) -> str:
    """The caption of a style that is called ``new`` now."""
    return with_keyword(without_keyword(caption, old), new)


def keyword_problem(word: str) -> str | None:
    """Why this cannot be a style's keyword, or None: empty, characters, ordinary, too-many-tokens.

    A keyword should mean nothing to the model yet. So a word is ordinary if CLIP has a token for it or for
    it without a usual ending; if an emoji's name says it; or if each of its tokens is an English word of three
    letters or more ("redfox"). Tokens of other letters say nothing: "murzik" is a new name, though CLIP has tokens
    for its halves. Different words joined by ``_`` or ``-`` are a new word, unless it is known without the sign, or
    emoji's names say every one of them: the tokenizer splits at the sign, so the base reads ``red_fox`` as a fox.
    ``ski_fail`` is taken, ``t-shirt`` is not.
    """
    if not word.strip():
        return "empty"
    if not _KEYWORD.fullmatch(word):
        return "characters"
    if _is_known(word):
        return "ordinary"
    if len(_pieces(word)) > MAX_KEYWORD_TOKENS:
        return "too-many-tokens"
    return None


def _is_known(word: str) -> bool:
    """Whether a keyword of the right form is an ordinary word, with digits or joined to itself or not."""
    runs = re.findall("[a-z]+", word)
    if len(set(runs)) == 1 or not re.search("[_-]", word):
        return all(map(_is_ordinary, runs))
    if all(run in _emoji_words() for run in runs):
        return True
    return len(_pieces("".join(runs))) == 1 or " ".join(runs) in _emoji_by_english_name()


def suggest_keywords(count: int, seed: int) -> list[str]:
    """Words that nobody uses, easy to say, of two or three tokens; the same ones for the same seed."""
    rng = Random(seed)
    found: list[str] = []
    while len(found) < count:
        word = _invented(rng)
        if word not in found and keyword_problem(word) is None and 2 <= len(_pieces(word)) <= 3:
            found.append(word)
    return found


def draft_from_emoji(text: str) -> str:
    """A first caption from a sticker's emoji: their English names without skin tones, or nothing."""
    found = [_name(text[start:end]) for start, end in _emoji_places(text)]
    return ", ".join(dict.fromkeys(name for name in found if name))


def bpe(path: Path = _MERGES) -> tuple[dict[str, int], list[tuple[str, str]]]:
    """CLIP's vocabulary (49,408 tokens to ids) and its merges in order, from OpenAI's file."""
    lines = gzip.decompress(path.read_bytes()).decode("utf-8").split("\n")
    merges = [(left, right) for left, right in (line.split() for line in lines[1 : 49152 - 256 - 2 + 1])]
    letters = _byte_letters()
    tokens = [*letters, *(f"{letter}</w>" for letter in letters), *(a + b for a, b in merges), BOS, EOS]
    return {token: i for i, token in enumerate(tokens)}, merges


def _byte_letters() -> list[str]:
    """One printable character for each byte, in the order of OpenAI's ``bytes_to_unicode``."""
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    return [chr(byte) for byte in printable] + [chr(256 + i) for i in range(256 - len(printable))]


@cache
def _tokenizer() -> Tokenizer:
    """The same steps as transformers' ``CLIPTokenizer`` (models/clip/tokenization_clip.py)."""
    vocab, merges = bpe()
    model = BPE(
        vocab=vocab, merges=merges, end_of_word_suffix="</w>", continuing_subword_prefix="", unk_token=EOS
    )
    tokenizer = Tokenizer(model)
    tokenizer.normalizer = normalizers.Sequence(
        [normalizers.NFC(), normalizers.Replace(Regex(r"\s+"), " "), normalizers.Lowercase()]
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(_SPLIT), behavior="removed", invert=True),
            pre_tokenizers.ByteLevel(add_prefix_space=False),
        ]
    )
    tokenizer.post_processor = processors.RobertaProcessing(
        (EOS, vocab[EOS]), (BOS, vocab[BOS]), trim_offsets=False, add_prefix_space=False
    )
    return tokenizer


def _pieces(word: str) -> list[str]:
    """The tokens of a word, without start and end."""
    return _tokenizer().encode(word).tokens[1:-1]


def _is_ordinary(letters: str) -> bool:
    """The rule of ``keyword_problem`` for one run of letters."""
    if len(_pieces(letters)) == 1 or letters in _emoji_words():
        return True
    stems = (letters.removesuffix(ending) for ending in _ENDINGS if letters.endswith(ending))
    if any(len(stem) >= 3 and len(_pieces(stem)) == 1 for stem in stems):
        return True
    parts = [piece.removesuffix("</w>") for piece in _pieces(letters)]
    return all(len(part) >= 3 and len(_pieces(part)) == 1 and _is_english(part) for part in parts)


def _is_english(word: str) -> bool:
    from lora.data.translation.lexicon import is_english  # that package counts tokens with this module

    return is_english(word)


def _invented(rng: Random) -> str:
    """Two or three syllables, often with a consonant that English rarely ends on."""
    syllables = (rng.choice("bdfgklmnprstvz") + rng.choice("aeiou") for _ in range(rng.choice((2, 2, 3))))
    word = "".join(syllables) + rng.choice(("x", "z", "x", "z", "zo", "xi", "n", "m"))
    return _invented(rng) if any(rude in word for rude in _RUDE.split()) else word


def _plain(chars: str) -> str:
    """An emoji without its skin tone and without the invisible sign that asks for its coloured form."""
    return re.sub(f"[{_SKIN_TONES}\ufe0f]", "", chars) or chars  # a skin tone alone has only itself


def _is_skin_tone(chars: str) -> bool:
    """Whether this is a skin tone alone. It is no emoji that a sticker can have."""
    return re.fullmatch(f"[{_SKIN_TONES}]", chars) is not None


def _words(text: str) -> str:
    """Only the lower-case words of a text, one space between them."""
    return " ".join(re.findall("[a-z0-9]+", text.lower().replace("’", "").replace("'", "")))


def _name(chars: str) -> str:
    """The English name of an emoji, without skin tones; empty if it has none."""
    return _emoji_names().get(_plain(chars), "")


@cache
def _emoji_names() -> dict[str, str]:
    """English name of every emoji by its plain form: ``{"🦊": "fox"}``."""
    import emoji

    return {
        _plain(chars): _words(data["en"].replace("_", " ")) for chars, data in _by_length(emoji.EMOJI_DATA)
    }


def _by_length(data: dict[str, dict[str, str]]) -> list[tuple[str, dict[str, str]]]:
    """Long forms first, so that the plain one of those that share a plain form gives the name."""
    return sorted(data.items(), key=lambda item: -len(item[0]))


@cache
def _emoji_by_english_name() -> dict[str, str]:
    """Plain form of each emoji that a sticker can have, by its name."""
    return {name: chars for chars, name in _emoji_names().items() if name and not _is_skin_tone(chars)}


@cache
def _emoji_words() -> frozenset[str]:
    return frozenset(word for name in _emoji_names().values() for word in name.split())
