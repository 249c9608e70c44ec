"""Captions as the tokenizer sees them: equal ids, honest counts, keywords that mean nothing yet."""

import subprocess
import sys
import time
from random import Random

import emoji
import pytest
from transformers import CLIPTokenizer

from lora.data import captions
from lora.data.captions import (
    bpe,
    count_tokens,
    draft_from_emoji,
    encode,
    has_keyword,
    keyword_problem,
    normalise,
    suggest_keywords,
    with_keyword,
)

TEXTS = [
    "",
    " ",
    "a fox drinking coffee",
    "A  Fox\n\tDRINKING coffee!!!",
    "it's the cat's pyjamas, isn't it? they'd've said I'm",
    "don’t “quote” me – ever…",
    "fish &amp; chips &amp;amp; peas &lt;b&gt;",
    "ﬁne ｆｕｌｌ ｗｉｄｔｈ Ⅳ ½",
    "кот в очках машет лапой, чебурашка с апельсинами",
    "مرحبا قطة صغيرة",
    "かわいい猫がコーヒーを飲む 猫",
    "ñandú über straße İstanbul ὈΔΥΣΣΕΎΣ",
    "👍🏽 👨‍👩‍👧 🇩🇪 ❤️ 🦊🦊",
    "zorvex9 a1b2c3 12345 3.14",
    "a-b_c/d\\e <html> *bold* _it_ `code`",
    "<|endoftext|> cat <|startoftext|>",
    "x" * 300,
    "na " * 100,
    "schÃ¶n mojibake â€” repaired",
    "\u200bzero\u200dwidth\ufeff",
]


@pytest.fixture(scope="module")
def reference() -> CLIPTokenizer:
    vocab, merges = bpe()
    return CLIPTokenizer(vocab=vocab, merges=merges, model_max_length=77)


def test_vocabulary_is_clips() -> None:
    """49,408 tokens with OpenAI's ids."""
    vocab, merges = bpe()
    assert len(vocab) == 49_408
    assert len(merges) == 48_894
    assert (vocab["<|startoftext|>"], vocab["<|endoftext|>"], vocab["cat</w>"]) == (49_406, 49_407, 2368)


@pytest.mark.parametrize("text", TEXTS)
def test_ids_equal_those_of_transformers(reference: CLIPTokenizer, text: str) -> None:
    """What is counted here is what the text encoder will get."""
    assert encode(text) == reference(normalise(text))["input_ids"]


def test_normalise_does_what_openai_did() -> None:
    """ftfy and twice html.unescape first, as the model's training texts had it; and no control tokens."""
    assert normalise("fish &amp;amp;  chips\n") == "fish & chips"
    assert normalise("don’t") == "don't"
    assert normalise("ﬁne ｆｏｘ") == "fine fox"
    assert normalise("cat <|endoftext|> dog") == "cat dog"
    assert encode("don’t") == encode("don't")


def test_count_includes_start_and_end() -> None:
    """An empty caption already takes two of the 77."""
    assert count_tokens("") == 2
    assert count_tokens("a cat") == 4
    assert count_tokens("кот в очках") == 15
    assert count_tokens("cat " * 75) == captions.MAX_TOKENS


def test_what_is_added_to_a_text_counts() -> None:
    """Keyword and background are read too: a text that fits leaves both whole, one more token does not."""
    assert captions.length("cat " * 68) == captions.Length(tokens=68, room=68)
    assert captions.length("cat " * 68).fits
    assert not captions.length("cat " * 69).fits
    with_name = captions.length("cat " * 70, "zorvex")
    assert with_name.room == 68 - (count_tokens("zorvex") - 2)
    assert str(with_name) == f"70 tokens; {with_name.room} fit"
    assert captions.length(f"a zorvex {'cat ' * 69}", "zorvex") == with_name  # whoever wrote the keyword
    assert captions.length("cat " * 72, background=", white background") == captions.Length(
        tokens=72, room=72
    )
    assert captions.length("cat " * 75, background="").fits


def test_tokenizer_loads_fast_and_without_torch() -> None:
    """The bot's process counts tokens within half a second of asking, and torch stays out of it."""
    code = (
        "import sys, time; t = time.process_time(); import lora.data.captions as c; c.count_tokens('a cat');"
        "print(time.process_time() - t, 'torch' in sys.modules or 'transformers' in sys.modules)"
    )
    seconds, heavy = subprocess.check_output([sys.executable, "-c", code], text=True).split()
    assert heavy == "False"
    assert float(seconds) < 2  # 0.2 when the machine is quiet
    count_tokens("warm")
    start = time.process_time()  # CPU seconds: a busy machine does not make them more
    count_tokens("a cat on a mat")
    assert time.process_time() - start < 0.05


@pytest.mark.parametrize(
    ("caption", "has"),
    [
        ("zorvex cat", True),
        ("a cat, Zorvex", True),
        ("cat (zorvex)", True),
        ("zorvexes", False),
        ("azorvex cat", False),
        ("a cat", False),
        ("", False),
    ],
)
def test_keyword_is_a_word_of_its_own(caption: str, has: bool) -> None:
    """The keyword counts in any case, but not inside another word; where it is missing it is put in front."""
    assert has_keyword(caption, "zorvex") is has
    assert has_keyword(with_keyword(caption, "zorvex"), "zorvex")
    assert (with_keyword(caption, "zorvex") == caption) is has


ORDINARY = (
    "cat dog fox cats foxes heart sticker style happy smiling drawing painter dragonfly bluebird hedgehogs "
    "catdog redfox superman watercolor anime cartoon pizza unicorn rainbow pencil sketchy doodles doodling "
    "sunhat bearhug pixelfox artstyle mushroom penguin summer birthday coffee princess robot rockets dancing"
)
INVENTED = (
    "zorvex kavimo blorpia nubzil mirexo zikugu vonux gevoz musax lomux grumblix floopie "
    "qivara tuzemo snarvik plubo xandrok drixy okzana "
    "murzik barsik kotofey murkis mashkins marsik strelka polkan grisha blinchik ponchik pushok masha murka"
)


@pytest.mark.parametrize("word", ORDINARY.split())
def test_ordinary_words_are_refused(word: str) -> None:
    """A word that the model knows would drag its meaning into the style."""
    assert keyword_problem(word) == "ordinary"


@pytest.mark.parametrize("word", INVENTED.split())
def test_invented_words_are_taken(word: str) -> None:
    """A word that nobody uses is what a keyword should be. Names are taken if English has no such word."""
    assert keyword_problem(word) is None


@pytest.mark.parametrize(
    ("word", "problem"),
    [
        ("", "empty"),
        ("   ", "empty"),
        ("../x", "characters"),
        ("Zorvex", "characters"),
        ("zo", "characters"),
        ("9lives", "characters"),
        ("zorvex style", "characters"),
        ("зорвекс", "characters"),
        ("z" * 21, "characters"),
        ("zorvex\n", "characters"),
        ("<b>zor</b>", "characters"),
        ("xqzkjwvbpt", "too-many-tokens"),
        ("cat3", "ordinary"),
        ("zorvex9", None),
        ("ski_fail", None),
        ("ski-fail", None),
        ("_zorvex", "characters"),
        ("zorvex_", "characters"),
        ("zorvex-", "characters"),
        ("zor__vex", "characters"),
        ("zor_-vex", "characters"),
        ("2_fast", "characters"),
        ("zorvex_kavimo", "too-many-tokens"),
        ("cat_3", "ordinary"),
        ("cat-cat", "ordinary"),
        ("t-shirt", "ordinary"),
        ("ice_cream", "ordinary"),
        ("teddy-bear", "ordinary"),
        ("red_fox", "ordinary"),
        ("big-blue-car", "ordinary"),
        ("zorvex_fox", None),
        ("ski_fail_of_the_years", "characters"),
    ],
)
def test_keyword_rules(word: str, problem: str | None) -> None:
    """A keyword is 3 to 20 of a-z, 0-9 and single _ or - inside, begins with a letter, takes four tokens."""
    assert keyword_problem(word) == problem


def test_suggested_keywords_keep_the_rules() -> None:
    """Suggestions are different, the same for the same seed, and never refused when they are chosen."""
    words = suggest_keywords(60, seed=1)
    assert len(set(words)) == 60
    assert words == suggest_keywords(60, seed=1) != suggest_keywords(60, seed=2)
    assert all(keyword_problem(word) is None and 4 <= count_tokens(word) <= 5 for word in words)


@pytest.mark.parametrize(
    ("text", "draft"),
    [
        ("🦊", "fox"),
        ("👍🏽", "thumbs up"),
        ("❤️", "red heart"),
        ("❤", "red heart"),
        ("😀🦊🦊", "grinning face, fox"),
        ("🧑🏿‍🎤", "singer"),
        ("🏻", "light skin tone"),
        ("🏾", "medium dark skin tone"),
        ("hello", ""),
        ("", ""),
    ],
)
def test_drafts_from_emoji(text: str, draft: str) -> None:
    """A sticker's emoji gives a first caption in words, whatever skin it has."""
    assert draft_from_emoji(text) == draft


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("🦊", "fox"),
        ("zuvix 🦊", "zuvix fox"),
        ("a 🦊 with a 🎩!", "a fox with a top hat!"),
        ("a🦊b", "a fox b"),
        ("🦊🦊 🐱", "fox, cat face"),
        ("👩🏽‍🚒🇩🇪1️⃣", "woman firefighter, germany, keycap 1"),
        ("I ❤️ 🍕, really", "I red heart, pizza, really"),
        ("🏻", "light skin tone"),
        ("🦊\u200d❄", "fox, snowflake"),
        ("© 2020 A™ ↔ b", "© 2020 A™ ↔ b"),
        ("ðŸ¦Š repaired first", "fox repaired first"),
        ("&#x1F98A;", "fox"),
    ],
)
def test_emoji_count_as_their_names(text: str, words: str) -> None:
    """In training and drawing alike, for both go through here; twice changes nothing more."""
    assert normalise(text) == words
    assert normalise(words) == words
    assert encode(text) == encode(words)
    assert count_tokens(text) == count_tokens(words)


@pytest.mark.parametrize("keyword", ["ski_fail", "ski-fail", "my_zorvex"])
def test_joined_keywords_are_found(keyword: str) -> None:
    """They count as one word, in any case."""
    assert has_keyword(f"a {keyword.upper()}, asleep", keyword)
    assert with_keyword("a fox", keyword) == f"{keyword} a fox"
    assert not has_keyword(f"a{keyword}", keyword)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a fox, drinking coffee!", "a fox, drinking coffee"),
        ("a fox.", "a fox"),
        ("«a red fox» — funny?", "a red fox, funny"),
        ("a cat... sleeping", "a cat, sleeping"),
        ("a cat:)", "a cat"),
        ("a fox (red)", "a fox, red"),
        ("a well-known fox's 2.5 hats, no. 3", "a well-known fox's 2.5 hats, no, 3"),
        ("zu_vix-2 a dog; a house", "zu_vix-2 a dog, a house"),
        ("?!", ""),
    ],
)
def test_prompts_without_punctuation(text: str, words: str) -> None:
    """As the base's captions are written."""
    assert captions.without_punctuation(text) == words


@pytest.mark.parametrize("unit", ["👩\u200d", "🦊\u200d", "🦊"])
def test_a_text_of_emoji_alone_takes_no_time(unit: str) -> None:
    """The library alone takes the square of its length: over a minute for the joined ones."""
    captions.normalise(unit)
    began = time.process_time()
    captions.normalise(unit * 50_000)
    assert time.process_time() - began < 8


def test_long_texts_have_the_emoji_that_the_library_finds() -> None:
    """They are read in pieces, and none is cut: joined ones, flags, keycaps, skin tones."""
    known = [
        *emoji.EMOJI_DATA,
        *["\u200d"] * 3000,
        *["a", " ", "\ufe0f", "🏽", "🇩", "🏴", "1", "\U000e0067"] * 100,
    ]
    for seed in range(20):
        text = "".join(Random(seed).choices(known, k=600))
        found = [(match["match_start"], match["match_end"]) for match in emoji.emoji_list(text)]
        assert list(captions._emoji_places(text)) == found
