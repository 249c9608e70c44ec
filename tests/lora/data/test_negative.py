"""What shall not be in a drawing, in plain words."""

from __future__ import annotations

import pytest

from lora.data.translation.negative import Parts, split


@pytest.mark.parametrize(
    ("text", "wanted", "without"),
    [
        ("a fox without a hat", "a fox", "a hat"),
        ("a fox without a hat drinking coffee", "a fox drinking coffee", "a hat"),
        ("a fox without a hat sits on a bench", "a fox sits on a bench", "a hat"),
        ("a fox without glasses or a red hat, in the snow", "a fox, in the snow", "glasses, a red hat"),
        ("a house without windows and doors", "a house", "windows, doors"),
        ("a fox without a hat and with glasses", "a fox with glasses", "a hat"),
        ("a cat without a tail and without ears", "a cat", "a tail, ears"),
        ("a fox without running shoes", "a fox", "running shoes"),
        ("a doughnut without hole", "a doughnut", "hole"),
        ("a fox without eyes, mouth or nose, in the snow", "a fox, in the snow", "eyes, mouth, nose"),
        ("a fox without a hat, a dog and a cat", "a fox, a dog and a cat", "a hat"),
        ("a cat that has no tail", "a cat", "tail"),
        ("a cup without a piece of cake on it", "a cup on it", "a piece of cake"),
        ("without a hat, a fox", "a fox", "a hat"),
        ("without a hat", "", "a hat"),
        ("a fox w/o hat", "a fox", "hat"),
        ("a fox, no hat", "a fox", "hat"),
        ("a fox with glasses and no hat", "a fox with glasses", "hat"),
        ("a fox wearing no hat and smiling", "a fox and smiling", "hat"),
        ("a fox without a background", "a fox", ""),
        ("a fox without any background and shadows", "a fox", "shadows"),
        ("a fox, no hat please", "a fox", "hat"),
        ("sleeping without a blanket", "sleeping", "a blanket"),
        ("without a hat!", "", "a hat"),
        ("now the same, but without a hat", "", "a hat"),
    ],
)
def test_the_noun_phrase_behind_without_is_the_negative_prompt(text: str, wanted: str, without: str) -> None:
    """Up to a comma, a verb or a preposition. A background is nothing to leave out: no sticker has one."""
    found = split(text, "en")
    assert (found.wanted, found.english, found.written) == (wanted, without, without)


@pytest.mark.parametrize(
    "text",
    [
        "a fox",
        "a fox without",
        "a fox without, so to speak",
        "no entry sign",
        "a no smoking sign",
        "no cats sticker",
        "no one is here",
        "yes or no question mark",
        "yes/no buttons",
        "no dogs allowed",
        "a bear with a sign no dogs",
        "no worries, be happy",
        "speak no evil monkey",
        "no rest for the wicked",
        "no face from a film",
        "no 5",
        "lost without you",
        "not without my hat",
        "a bird that can't fly without wings",
        "a fox with comic sans",
        "original sin",
        "a bear saying no",
        "a bear saying no to honey",
        'a sign "no cats"',
        "лисица безбородая",
        "a  fox,  as it   is",
    ],
)
def test_other_texts_come_back_as_they_are(text: str) -> None:
    """Also where "no" is a name, what somebody says, or quoted."""
    assert split(text, "en") == Parts(wanted=text)


@pytest.mark.parametrize(
    ("text", "wanted", "written", "english"),
    [
        ("лиса без шляпы", "лиса", "шляпы", "a hat"),
        ("Лиса БЕЗ шляпы пьёт кофе", "Лиса пьёт кофе", "шляпы", "a hat"),
        ("лиса без шляпы и очков", "лиса", "шляпы, очков", "a hat, glasses"),
        ("лиса без шляпы и собака", "лиса и собака", "шляпы", "a hat"),
        ("лиса в очках, но без красной шляпы", "лиса в очках", "красной шляпы", "a red hat"),
        (
            "лиса без шляпы, очков и шарфа, с мечом",
            "лиса, с мечом",
            "шляпы, очков, шарфа",
            "a hat, glasses, a scarf",
        ),
        ("лиса без шляпы, собаки и птицы", "лиса, собаки и птицы", "шляпы", "a hat"),
        ("лицо без рта и бровей", "лицо", "рта, бровей", "a mouth, eyebrows"),
        ("лиса без шляпы рыжая", "лиса рыжая", "шляпы", "a hat"),
        ("кот без хвоста который спит", "кот который спит", "хвоста", "a tail"),
        ("дерево без листьев", "дерево", "листьев", "leaves"),
        ("без шляпы и без очков", "", "шляпы, очков", "a hat, glasses"),
        ("лиса без 🎩", "лиса", "🎩", "top hat"),
        ("лиса без hat", "лиса", "hat", "hat"),
        ("лиса без фона и хвоста", "лиса", "хвоста", "a tail"),
        ("а теперь такой же, но без хвоста", "", "хвоста", "a tail"),
        ("можно его без хвоста?", "", "хвоста", "a tail"),
    ],
)
def test_russian_cases_tell_what_belongs_to_without(
    text: str, wanted: str, written: str, english: str
) -> None:
    """Only what stands in the genitive. The words stay beside their English."""
    found = split(text, "ru")
    assert (found.wanted, found.written, found.english) == (wanted, written, english)


@pytest.mark.parametrize(
    "text",
    [
        "Без паники!",
        "кот без сил",
        "кот без ума от рыбы",
        "лицо без эмоций",
        "без пяти двенадцать",
        "плохо без тебя",
        "жить не могу без кофе",
        "кот не без ума",
    ],
)
def test_russian_phrases_with_without_stay(text: str) -> None:
    """Those that the dictionary has, those with a pronoun, and those with a second negation."""
    assert split(text, "ru") == Parts(wanted=text)


@pytest.mark.parametrize("text", ["no money", "there are no cats here", "no bad vibes, no stress"])
def test_a_text_of_no_alone_says_so(text: str) -> None:
    """It is a slogan where no drawing is changed."""
    found = split(text, "en")
    assert (found.wanted, found.said_no) == ("", True)
    assert not split("without a hat", "en").said_no


@pytest.mark.parametrize(
    ("language", "text", "wanted"),
    [
        ("uk", "лисиця без капелюха", "лисиця"),
        ("de", "ein Fuchs ohne Hut", "ein Fuchs"),
        ("de", "ein Fuchs mit keinem Hut", "ein Fuchs"),
        ("fr", "un renard sans chapeau", "un renard"),
        ("es", "un zorro sin sombrero", "un zorro"),
        ("pt", "uma raposa sem chapéu", "uma raposa"),
        ("nl", "een vos zonder hoed", "een vos"),
        ("sv", "en räv utan hatt", "en räv"),
        ("cs", "liška bez klobouku", "liška"),
        ("el", "αλεπού χωρίς καπέλο", "αλεπού"),
        ("vi", "con cáo không có mũ", "con cáo"),
        ("fi", "kettu ilman hattua", "kettu"),
        ("hu", "róka kalap nélkül", "róka"),
        ("tr", "şapkasız tilki", "tilki"),
        ("kk", "қалпақсыз түлкі", "түлкі"),
        ("az", "papaqsız tülkü", "tülkü"),
        ("da", "en ræv uden hat", "en ræv"),
        ("nb", "en rev uten hatt", "en rev"),
        ("ca", "una guineu sense barret", "una guineu"),
        ("ro", "o vulpe fără pălărie", "o vulpe"),
        ("lt", "lapė be skrybėlės", "lapė"),
        ("id", "rubah tanpa topi", "rubah"),
        ("sk", "líška bez klobúka", "líška"),
        ("sr", "лисица без шешира", "лисица"),
        ("bg", "лисица без шапка", "лисица"),
        ("be", "ліса без капялюша", "ліса"),
    ],
)
def test_each_language_says_without(language: str, text: str, wanted: str) -> None:
    """In front of the noun, behind it, or as its ending."""
    assert (split(text, language).wanted, split(text, language).english) == (wanted, "a hat")


def test_what_nobody_knows_is_told() -> None:
    """A word that could not be translated stays in the negative prompt, and is named."""
    found = split("лиса без абракадабры", "ru")
    assert found.english == "абракадабры"
    assert [thing.unknown for thing in found.things] == [("абракадабры",)]


@pytest.mark.parametrize(
    ("language", "text", "wanted", "english"),
    [
        ("ru", "лиса не в шапке", "лиса", "a hat"),
        ("ru", "лиса не в красной шапке, сидит", "лиса, сидит", "a red hat"),
        ("ru", "у кота нет шапки", "кота", "a hat"),
        ("ru", "кот, у которого нет хвоста, спит", "кот, спит", "a tail"),
        ("ru", "не рисуй шапку", "", "a hat"),
        ("ru", "лиса, не рисуй шапку и очки", "лиса", "a hat, glasses"),
        ("uk", "лисиця не в шапці", "лисиця", "a hat"),
        ("uk", "у кота немає шапки", "кота", "a hat"),
        ("en", "a fox not in a hat", "a fox", "a hat"),
        ("en", "a fox not wearing a hat", "a fox", "a hat"),
    ],
)
def test_what_somebody_does_not_wear_or_have_is_left_out(
    language: str, text: str, wanted: str, english: str
) -> None:
    """As "without" says it. Its owner is still drawn."""
    found = split(text, language)
    assert (found.wanted, found.english) == (wanted, english)


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("ru", "лиса не в духе"),
        ("ru", "кот не в форме"),
        ("ru", "не в этом дело"),
        ("ru", "у меня нет денег"),
        ("ru", "у кота нет слов"),
        ("ru", "нет войне"),
        ("ru", "скажи нет шапке"),
        ("ru", "не рисуй на стенах"),
        ("ru", "кот говорит «не рисуй шапку»"),
        ("en", "not bad"),
        ("en", "not in the mood"),
        ("en", "not in my house"),
    ],
)
def test_other_negations_stay(language: str, text: str) -> None:
    """Moods, slogans and what somebody says show no thing that can be left out."""
    assert split(text, language) == Parts(wanted=text)


@pytest.mark.parametrize(
    ("language", "text", "english"),
    [
        ("es", "gato sin orejas", "ears"),
        ("es", "gato sin patas", "paws"),
        ("fr", "chat sans oreilles", "ears"),
        ("fr", "chat sans pattes", "paws"),
        ("it", "gatto senza orecchie", "ears"),
        ("pt", "gato sem patas", "paws"),
        ("uk", "кіт без вусів", "a mustache"),
        ("uk", "кіт без вух", "ears"),
    ],
)
def test_parts_of_the_body_are_what_they_mean(language: str, text: str, english: str) -> None:
    """Names of emoji have other senses of them: "listening" for ears, "ducks" for paws."""
    assert split(text, language).english == english
