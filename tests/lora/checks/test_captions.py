"""Each check of captions fires on what it is for, and is silent on good captions."""

from __future__ import annotations

import pytest

from lora.checks import captions
from lora.data.captions import room as count_room
from tests.lora.checks.drawings import GOOD, codes


@pytest.mark.parametrize(
    ("code", "texts", "keyword", "samples"),
    [
        ("keyword-none", ["a fox waving", "a cat asleep"], "", [()]),
        ("keyword-missing", [*GOOD[:3], "a tall lamp"], "zorvex", [(4,)]),
        (
            "keyword-other",
            [f"zorvex bomux a {word}" for word in ("cat", "dog", "hat")],
            "zorvex",
            [(1, 2, 3)],
        ),
        ("keyword-other", ["bomux a cat", "bomux a dog", *GOOD, "Bomux a hat"], "zorvex", [(1, 2, 7)]),
        ("keyword-unfit", ["cat a red fox", "cat a blue whale"], "cat", [()]),
        ("caption-empty", [*GOOD, "zorvex", "zorvex!"], "zorvex", [(5, 6)]),
        ("caption-short", [*GOOD, "zorvex a 2", "zorvex baby", "zorvex a baby"], "zorvex", [(5,)]),
        ("caption-too-long", [*GOOD, "a " * 68], "zorvex", [(5,)]),  # it would fit but for the keyword
        ("captions-same", [*GOOD, "Zorvex a  blue whale."], "zorvex", [(2, 5)]),
        ("style-unsaid", [*GOOD, "a lamp on a table"], "zorvex", [(5,)]),
        ("style-uneven", [*GOOD, "zorvex a sticker of a lamp"], "zorvex", [(5,)]),
        ("style-uneven", ["cartoon fox up", "cartoon cat up", "dog on a table"], "", [(3,)]),
    ],
)
def test_faulty_captions_are_found(
    code: str, texts: list[str], keyword: str, samples: list[tuple[int, ...]]
) -> None:
    """What is wrong is found at the captions that have it, and is not found in good ones."""
    assert codes(captions.check(texts, keyword))[code] == samples
    assert captions.check(GOOD, "zorvex") == []


def test_words_are_no_other_keyword() -> None:
    """English ones, and a name that two captions begin with."""
    texts = ["zorvex walking cat", "zorvex walking dog", "zorvex walking fox", "murzik a", "murzik b"]
    assert captions.other_keyword(texts, "zorvex") == ("", ())


def test_length_is_counted_in_tokens() -> None:
    """77 of CLIP's tokens fit, whatever number of words that is; keyword and background are among them."""
    room = count_room("zorvex")
    assert "caption-too-long" not in codes(captions.check(["a " * room], "zorvex"))
    (finding,) = [f for f in captions.check(["a " * (room + 1)], "zorvex") if f.code == "caption-too-long"]
    assert finding.severity == "error"
    assert finding.detail == f"{room + 1} tokens; {room} fit"


def test_the_shared_keyword_is_found() -> None:
    """A word that all captions say, and that means nothing else, needs no flag."""
    assert captions.shared_keyword(GOOD) == "zorvex"
    assert captions.shared_keyword([*GOOD, "a fox"]) == ""
    assert captions.shared_keyword([]) == ""
    for keyword in ("ski_fail", "zor-vex"):
        assert captions.shared_keyword([text.replace("zorvex", keyword) for text in GOOD]) == keyword
    assert captions.shared_keyword(["a long-haired fox", "a long-haired cat"]) == ""


@pytest.mark.parametrize("keyword", ["ski_fail", "ski-fail"])
def test_a_joined_keyword_is_no_part_of_what_a_caption_says(keyword: str) -> None:
    """It is one word, and a caption of nothing else says nothing."""
    texts = [*(text.replace("zorvex", keyword) for text in GOOD), keyword, f"{keyword} 🦊🎩"]
    found = codes(captions.check(texts, keyword))
    assert found["caption-empty"] == [(5,)]
    assert "caption-short" not in found
    assert "keyword-unfit" not in found


def test_a_fault_weighs_by_its_share() -> None:
    """One bad caption of five is advice; a quarter of them is a warning."""
    few = captions.check([*GOOD, "zorvex a 2"], "zorvex")
    many = captions.check([*GOOD[:3], "zorvex a 2"], "zorvex")
    assert [few[0].severity, many[0].severity] == ["advice", "warning"]


def test_another_keyword_holds_no_training_up() -> None:
    """It may be the name of whom all the pictures show."""
    found = captions.check([f"zorvex murzik a {word}" for word in ("cat", "dog", "hat")], "zorvex")
    assert [(one.code, one.severity) for one in found] == [("keyword-other", "advice")]
