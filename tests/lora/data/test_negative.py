"""What shall not be in a drawing, in plain words."""

from __future__ import annotations

import time

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


@pytest.mark.parametrize(
    ("text", "wanted", "english"),
    [
        ("a fox that doesn't have a hat", "a fox", "a hat"),
        ("a fox doesn’t have a hat", "a fox", "a hat"),
        ("a fox who does not wear a hat", "a fox", "a hat"),
        ("foxes that don't have hats, on the moon", "foxes, on the moon", "hats"),
        ("a fox that isn't wearing glasses", "a fox", "glasses"),
        ("a fox that is no longer wearing glasses", "a fox", "glasses"),
        ("cats which aren't wearing hats", "cats", "hats"),
        ("a fox isnt wearing a hat or glasses and smiling", "a fox and smiling", "a hat, glasses"),
        ("a fox that hasn't got a tail", "a fox", "a tail"),
        ("a fox that never wears a hat", "a fox", "a hat"),
        ("a fox lacking a tail", "a fox", "a tail"),
        ("a fox has no hat", "a fox", "hat"),
        ("a dog, it has no tail", "a dog", "tail"),
        ("a fox, it doesn't have a hat", "a fox", "a hat"),
        ("a fox with neither hat nor glasses", "a fox", "hat, glasses"),
        ("a fox without wearing a hat", "a fox", "a hat"),
        ("a fox that isn't in a hat", "a fox", "a hat"),
        ("a fox with a scarf, not with a hat", "a fox with a scarf", "a hat"),
        ("a fox, don't draw a hat", "a fox", "a hat"),
        ("a fox, please do not add glasses", "a fox", "glasses"),
        ("a fox, I don't want a hat", "a fox", "a hat"),
        ("a fox, there's no hat", "a fox", "hat"),
        ("a fox, there shouldn't be a hat", "a fox", "a hat"),
        ("a fox, no need for a hat", "a fox", "a hat"),
        ("a fox, hat not needed", "a fox", "hat"),
        ("a fox with a hat, no glasses", "a fox with a hat", "glasses"),
        ("a fox without hats sits", "a fox sits", "hats"),
    ],
)
def test_english_negations_of_having_are_understood(text: str, wanted: str, english: str) -> None:
    """However they are worded, and nothing of the wording is left."""
    found = split(text, "en")
    assert (found.wanted, found.english) == (wanted, english)


@pytest.mark.parametrize(
    ("text", "wanted", "english"),
    [
        ("лиса, не надо шапку", "лиса", "a hat"),
        ("лиса, шапку не надо", "лиса", "a hat"),
        ("лиса, красную шапку и очки не надо, на луне", "лиса, на луне", "a red hat, glasses"),
        ("лиса на луне, только шапку не надо, спасибо", "лиса на луне, спасибо", "a hat"),
        ("лиса, шапка не нужна", "лиса", "a hat"),
        ("лиса, ей не нужны очки", "лиса", "glasses"),
        ("лиса, я не хочу шапку", "лиса", "a hat"),
        ("лиса, не надо рисовать шапку", "лиса", "a hat"),
        ("лиса, шапку не рисуй", "лиса", "a hat"),
        ("лиса, не добавляй шапку", "лиса", "a hat"),
        ("лиса, чтобы не было шапки", "лиса", "a hat"),
        ("лиса, не должно быть шапки", "лиса", "a hat"),
        ("лиса, чтобы была без шапки", "лиса", "a hat"),
        ("лиса, которая никогда не носит шапку", "лиса", "a hat"),
        ("лиса, у неё нет хвоста", "лиса", "a tail"),
        ("лиса, на которой нет шапки", "лиса", "a hat"),
        ("лиса, у которой нет ни шапки, ни очков", "лиса", "a hat, glasses"),
        ("у кота шапки нет", "кота", "a hat"),
        ("у кота нет денег", "кота", "money"),
        ("лиса, никакой шапки", "лиса", "a hat"),
        ("лиса без всякой шапки", "лиса", "any hat"),
        ("лиса с зонтом, а не с шапкой", "лиса с зонтом", "a hat"),
        ("не надо шапку", "", "a hat"),
    ],
)
def test_russian_negations_of_need_are_understood(text: str, wanted: str, english: str) -> None:
    """In front of the thing and behind it, at the end of a clause."""
    found = split(text, "ru")
    assert (found.wanted, found.english) == (wanted, english)


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("en", "I don't have money"),
        ("en", "don't have a cow"),
        ("en", "don't draw me like that"),
        ("en", "a sticker saying don't draw a hat"),
        ("en", "a cat with a sign I don't want a bath"),
        ("en", "a cat that doesn't like dogs"),
        ("en", "it doesn't have to be red"),
        ("en", "a cat that has no idea"),
        ("ru", "лиса без шапки не надо"),
        ("ru", "без шапки не надо, спасибо"),
        ("ru", "лиса, без шапки не рисуй"),
        ("ru", "не надо грустить"),
        ("ru", "не надо так"),
        ("ru", "не хочу спать"),
        ("ru", "никому не нужен"),
        ("ru", "у меня денег нет"),
        ("ru", "кот говорит не надо войны"),
        ("ru", "кот с табличкой не надо войны"),
        ("ru", "на улице нет людей"),
    ],
)
def test_what_names_no_thing_to_leave_out_stays(language: str, text: str) -> None:
    """Nor does a second negation: who does not need it without a hat wants the hat."""
    assert split(text, language) == Parts(wanted=text)


@pytest.mark.parametrize(
    "text", ["не надо войны", "никаких проблем", "денег нет и не надо", "we don't want war"]
)
def test_slogans_of_need_say_no(text: str) -> None:
    """Alone they are drawn as they are, as "no money" is."""
    found = split(text, "ru" if text > "z" else "en")
    assert not found.things or (found.wanted, found.said_no) == ("", True)


@pytest.mark.parametrize(
    ("language", "text", "wanted"),
    [
        ("hi", "बिना टोपी की लोमड़ी", "लोमड़ी"),
        ("hi", "लोमड़ी टोपी के बिना", "लोमड़ी"),
        ("pl", "lis bez kapelusza", "lis"),
        ("pl", "kot, który nie nosi kapelusza", "kot"),
        ("uk", "лисиця, шапку не треба", "лисиця"),
        ("uk", "лисиця, яка не носить шапку", "лисиця"),
        ("de", "ein Fuchs trägt keinen Hut", "ein Fuchs"),
        ("es", "un zorro que no lleva sombrero", "un zorro"),
        ("fr", "un renard qui n'a pas de chapeau", "un renard"),
        ("pt", "uma raposa que não tem chapéu", "uma raposa"),
    ],
)
def test_other_languages_say_who_has_no_hat(language: str, text: str, wanted: str) -> None:
    """With a verb, or behind the noun."""
    assert (split(text, language).wanted, split(text, language).english) == (wanted, "a hat")


@pytest.mark.parametrize(
    "words",
    [
        "без ",
        "ohne ",
        "no ",
        "не без шляпы ",
        "нет ",
        "у кота ",
        "шапку не надо ",
        "- ",
        "кот, не собака ",
        "но не кот ",
    ],
)
def test_a_message_full_of_negations_takes_no_time(words: str) -> None:
    """The bot reads it between two answers to other people; it took seconds."""
    for text in ((words * 4096)[:4096], (words * 300)[:1600]):
        began = time.process_time()
        split(text, "ru")
        assert time.process_time() - began < 1
    fox = "a " * 250 + "fox without a hat"
    assert split(fox).english == "a hat"


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("жираф не в шляпе", "шляпа"),
        ("лиса не в красной шляпе", "красная шляпа"),
        ("кот не в синем платье", "синее платье"),
        ("кот не в большом шарфе", "большой шарф"),
        ("кот не в очках", "очки"),
        ("кот не в рваных джинсах", "рваные джинсы"),
        ("кот не в сапогах", "сапоги"),
        ("кот не в красных носках", "красные носки"),
        ("лиса без шляпы", "шляпы"),
    ],
)
def test_what_is_not_worn_is_named_in_the_nominative(text: str, written: str) -> None:
    """ "Без: шляпе" is no Russian."""
    assert split(text, "ru").written == written


@pytest.mark.parametrize(
    ("language", "text", "wanted", "english"),
    [
        ("en", "a cat but not a dog", "a cat", "a dog"),
        ("en", "a cat, not a dog or a mouse, on the moon", "a cat, on the moon", "a dog, a mouse"),
        ("en", "a fox, but not red", "a fox", "red"),
        ("en", "not a cat, but a dog", "a dog", "a cat"),
        ("en", "this is not a cat but a dog", "a dog", "a cat"),
        ("ru", "кот но не собака", "кот", "a dog"),
        ("ru", "кот, а не собака, на луне", "кот, на луне", "a dog"),
        ("ru", "кот, не мышь", "кот", "a mouse"),
        ("ru", "это не кот, а собака", "собака", "a cat"),
        ("ru", "лиса, но не рыжая", "лиса", "orange"),
        ("uk", "кіт, але не собака", "кіт", "a dog"),
        ("es", "un gato, pero no un perro", "un gato", "a dog"),
    ],
)
def test_one_thing_and_not_another(language: str, text: str, wanted: str, english: str) -> None:
    """What stands behind "but not", and what "not" and "but" stand around."""
    found = split(text, language)
    assert (found.wanted, found.english) == (wanted, english)


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("en", "not a cat"),
        ("en", "I'm not a robot"),
        ("en", "make love, not war"),
        ("en", "sad but not broken"),
        ("en", "to be or not to be"),
        ("en", "a sign saying but not a step"),
        ("ru", "кот, не грусти"),
        ("ru", "кот не дурак"),
        ("ru", "не грустная лиса"),
        ("ru", "красивый, но не умный кот"),
        ("ru", "кот говорит: я не собака"),
    ],
)
def test_not_that_leaves_nothing_out_stays(language: str, text: str) -> None:
    """Slogans, moods, and what somebody says."""
    assert split(text, language) == Parts(wanted=text)
