"""The words by which ``negation_reader`` finds what shall not be in a drawing, and those that say something else."""

from __future__ import annotations

from itertools import product

Phrases = dict[str, frozenset[str]]  # by language


def _each(*parts: str) -> str:
    """Every phrase that has one word of each part; | stands between two."""
    return "|".join(" ".join(words) for words in product(*(part.split("|") for part in parts)))


def _phrases(words: dict[str, str]) -> Phrases:
    return {language: frozenset(said.split("|")) for language, said in words.items()}


_DO_NOT = "don't|do not|dont"
_MUST_NOT = "shouldn't|should not|mustn't|must not|won't|will not"
_DOES_NOT = f"{_DO_NOT}|{_MUST_NOT}|doesn't|does not|doesnt|didn't|did not|never"
_IS_NOT = "not|no longer|never|isn't|is not|isnt|aren't|are not|arent|wasn't|was not|weren't|were not"

# "without" of each language that has a word for it in front of the noun
WITHOUT = _phrases({
    "en": f"without|w/o|without wearing|without having|{_each(_DO_NOT, 'draw|add|include')}",
    "ru": f"без|безо|{_each('не', 'рисуй|рисуйте|добавляй|добавляйте|дорисовывай|дорисовывайте|надевай|надевайте')}",
    "uk": f"без|{_each('не', 'малюй|малюйте|додавай|додавайте|домальовуй|вдягай')}",
    "be": "без", "bg": "без", "sr": "без|bez", "hr": "bez",
    "cs": "bez|beze", "sk": "bez", "pl": "bez|beze", "de": "ohne", "nl": "zonder", "sv": "utan", "da": "uden",
    "nb": "uten", "es": "sin|sin llevar", "ca": "sense", "fr": "sans|sans porter de", "it": "senza", "pt": "sem",
    "ro": "fără|fara", "el": "χωρίς|δίχως", "fi": "ilman", "et": "ilma", "lt": "be", "id": "tanpa",
    "vi": "không có", "hy": "առանց", "hi": "बिना",
})  # fmt: skip
# Languages that say it behind the noun
BEHIND = _phrases({"hu": "nélkül", "tr": "olmadan", "hi": "के बिना|के बगैर|के बग़ैर"})
# Behind a thing, and belong to "without": "बिना टोपी के", "keinen Hut hat"
AFTER = {"hi": ("के", "की", "का"), "de": ("hat", "haben", "trägt", "tragen")}
ENDINGS = {"tr": "s[ıiuü]z", "az": "s[ıiuü]z", "kk": "с[ыі]з"}  # or have an ending for it
# In front of what is in WORN: "не в шапке"
NOT_IN = _phrases({
    "en": f"not with|{_each(_IS_NOT, 'in')}", "ru": "не в|не во|не с|не со", "uk": "не в|не у|не з|не із",
})  # fmt: skip
WORN = frozenset((
    "apron", "beanie", "boots", "cap", "cape", "cloak", "clothes", "coat", "costume", "crown", "dress", "glasses",
    "gloves", "hat", "helmet", "hood", "jacket", "jeans", "mask", "mittens", "pajamas", "pants", "sandals", "scarf",
    "shirt", "shoes", "shorts", "skirt", "sneakers", "socks", "suit", "sunglasses", "sweater", "t-shirt", "tie",
    "trousers", "vest", "bandana", "beret", "headscarf", "hoodie", "overalls", "raincoat", "stockings", "tights",
    "turban",
))  # fmt: skip
# In front of what is not there, but something else: "a cat, but not a dog"; "not a cat, but a dog"
BUT_NOT = _phrases({
    "en": "but not|and not|not", "ru": "а не|но не|не", "uk": "а не|але не|не", "pl": "a nie|ale nie|nie",
    "es": "pero no|y no|no", "fr": "mais pas|et pas|pas", "it": "ma non|e non|non", "pt": "mas não|e não|não",
})  # fmt: skip
BUT = frozenset(("but", "а", "але", "но", "a", "ale", "sino", "mais", "ma", "mas"))  # behind "not a cat,"
POINTING = frozenset(
    ("it", "this", "that", "is", "it's", "that's", "это", "то", "це")
)  # "this is not a cat, but a dog"
ARTICLES = frozenset((
    "a", "an", "the", "any", "un", "una", "une", "uno", "um", "uma", "el", "la", "le", "il", "lo", "o",
))  # fmt: skip
# Behind their subject: "a fox that doesn't have a hat"
NOT_HAVING = _phrases({
    "en": f"{_each(_DOES_NOT, 'have|have got|have on|wear')}|{_each(_IS_NOT, 'wearing|having')}|lacks|lacking"
    "|hasn't got|hasnt got|has not got|haven't got|have not got|never has|never wears|with neither|has neither"
    "|have neither|having neither|wearing neither",
    "ru": f"не носит|не носят|не имеет|не имеют|{_each('не', 'надел|надела|надели', 'на себя')}|не надел|не надела",
    "uk": "не носить|не носять|не має|не мають",
    "pl": "nie ma|nie mają|nie nosi|nie noszą",
    "es": "no tiene|no tienen|no lleva|no llevan|no usa|no usan",
    "pt": "não tem|não têm|não usa|não usam", "it": "non ha|non hanno|non porta|non indossa",
    "fr": "n'a pas de|n'ont pas de|ne porte pas de|ne portent pas de",
})  # fmt: skip
# "I don't need": a noun follows. Slogans are worded so, too: "не надо войны".
NOT_NEEDED = _phrases({
    "en": f"{_each('i|we', _DO_NOT, 'want|need')}|no need for|{_each('there', _IS_NOT)}|there's not"
    f"|{_each('there', _MUST_NOT, 'be')}",
    "ru": f"{_each('не надо|не нужно|не стоит', 'рисовать|добавлять|дорисовывать')}|не надо|ненадо|не нужно|не нужен"
    "|не нужна|не нужны|не хочу|не рисовать|не добавлять|не должно быть|чтобы не было|чтоб не было|пусть не будет",
    "es": "no hay|que no haya", "fr": "il n'y a pas de", "pt": "não há", "it": "non c'è|non ci sono",
    "uk": f"{_each('не треба|не потрібно|не варто', 'малювати|додавати')}|не треба|не потрібно|не потрібен"
    "|не потрібна|не потрібні|не хочу|не повинно бути|щоб не було",
})  # fmt: skip
# The same behind the noun, at the end of a clause: "шапку не надо"
NEEDLESS = _phrases({
    "en": "not needed|isn't needed|is not needed|aren't needed|are not needed",
    "ru": "не надо|ненадо|не нужно|не нужен|не нужна|не нужны|не хочу|не рисуй|не рисуйте|не добавляй|не добавляйте"
    "|быть не должно|не должно быть|нет|нету",
    "uk": "не треба|не потрібно|не потрібен|не потрібна|не потрібні|не хочу|не малюй|не малюйте|не додавай"
    "|бути не повинно|немає|нема",
})  # fmt: skip
# Behind an owner: "у кота нет шапки"
HAS_NO = _phrases({"ru": "нет|нету|нет ни|нету ни", "uk": "немає|нема|немає ні"})
OWNED_BY = "у"
WORN_ON = "на"  # "на коте нет шапки"
WHOSE = frozenset((
    "которого", "которой", "которых", "котором", "якого", "якої", "яких", "якому", "якій",
    "него", "нее", "них", "нем", "ней", "нього", "неї", "ньому", "ній",
))  # fmt: skip
NO = _phrases({
    "en": "no",
    "de": "kein|keine|keinen|keinem|keiner",
    "nl": "geen",
    "sv": "ingen|inget|inga",
    "da": "ingen|intet",
    "nb": "ingen|inget",
    "ru": "никакой|никакого|никаких|никакую",
    "uk": "ніякої|ніякого|ніяких|жодної|жодного|жодних",
    "pl": "żadnej|żadnego|żadnych",
    "es": "ningún|ninguna",
    "pt": "nenhum|nenhuma",
    "it": "nessun|nessuna",
    "fr": "aucun|aucune",
})  # fmt: skip
# In front of "no" that is a word of its own: "a no entry sign", "a bear saying no", "a sign no dogs"
NOT_BEFORE_NO = frozenset((
    "a", "an", "the", "say", "says", "saying", "said", "word", "words", "reads", "reading", "means", "oh", "or",
    "hear", "see", "speak", "sign", "poster", "text", "caption", "inscription", "lettering", "banner", "shirt",
))  # fmt: skip
# Behind "no" that goes with them: "no smoking", "a no parking sign", "no worries"
NOT_AFTER_NO = frozenset((
    "one", "way", "more", "longer", "smoking", "entry", "parking", "matter", "doubt", "problem", "thanks", "thank",
    "worries", "idea", "comment", "comments", "pain", "gain", "maybe", "yes", "kidding", "joke", "place", "rest",
    "swimming", "trespassing", "littering", "excuses", "regrets", "rush", "chance", "fear", "mercy", "evil", "need",
    "clue",
))  # fmt: skip
SIGNS = frozenset(
    ("sign", "signs", "symbol", "emoji", "sticker", "button", "zone", "allowed", "poster", "club")
)
# Somebody says what follows: "кот говорит не надо войны"
SAYING = frozenset((
    "say", "says", "saying", "said", "shouts", "shouting", "screams", "screaming", "reads", "thinks", "thinking",
    "говорит", "говорят", "говорящий", "говорящая", "сказал", "сказала", "кричит", "кричат", "кричащий", "кричащая",
    "думает", "каже", "говорить", "кричить", "думає",
))  # fmt: skip
# or it is written: "кот с табличкой не надо войны"
SPEECH = SAYING | {
    "words", "text", "caption", "sign", "banner", "poster", "inscription", "надпись", "надписью", "словами", "текстом",
    "табличка", "табличкой", "плакат", "плакатом", "напис", "написом", "табличкою",
}  # fmt: skip
# What would be left hanging in front of "no": "a fox with", "a fox wearing", "a fox and". In English, and as written.
HANGING = frozenset((
    "with", "and", "or", "but", "wearing", "having", "has", "have", "is", "are", "there", "that", "who", "which",
    "there's", "should", "be", "please", "just", "only",
    "чтобы", "чтоб", "щоб", "была", "был", "было", "были", "только", "лише", "тільки", "уже", "вже", "вообще", "вовсе",
    "совсем", "нарисуй", "рисуй", "намалюй", "который", "которая", "которое", "которые", "которому",
    "которым", "никогда", "ніколи", "який", "яка", "яке", "які", "якому",
    "que", "qui", "che", "który", "która", "które",
))  # fmt: skip
# Who speaks or is spoken to: what they have not got is no drawing. In front of NOT_HAVING and NOT_NEEDED.
SPEAKERS = frozenset(("i", "you", "we", "я", "ты", "мы", "вы", "ти", "ми", "ви", "yo", "je", "tu", "io"))
# Stand for what was named before: "a fox, it has no hat"; "лиса, ей не нужна шапка"
SUBJECTS = frozenset((
    "it", "he", "she", "they", "он", "она", "оно", "они", "він", "вона", "воно", "вони", "ей", "ему", "им",
    "мне", "нам", "мені", "їй", "йому",
))  # fmt: skip
THANKS = frozenset(
    ("please", "pls", "пожалуйста", "плиз", "спасибо", "будь", "ласка", "дякую")
)  # may end any text
# Nothing to draw without: "lost without you"
PRONOUNS = frozenset((
    "you", "me", "him", "her", "it", "us", "them", "this", "that", "тебя", "меня", "него", "нее", "нас", "вас", "них",
    "кого", "всех", "тебе", "мене", "нього", "неї", "всіх", "никто", "никому", "никого", "ничто", "ничего", "ничему",
    "ніхто", "нікому", "нікого", "нічого",
))  # fmt: skip
BEFORE_NOUNS = frozenset(
    ("her", "it", "this", "that")
)  # the pronouns that also stand before a noun: "her hat"
# With "without" in the same clause they say "with": "not without my hat"
NEGATIONS = frozenset((
    "not", "never", "nothing", "nobody", "cannot", "can't", "cant", "couldn't", "don't",
    "не", "ни", "ничего", "ничто", "никто", "никуда", "нельзя",
))  # fmt: skip
# Behind "no" and a noun they go on with it: "no rest for the wicked"
PREPOSITIONS = frozenset(("for", "from", "of", "in", "on", "at", "like", "to", "about", "until"))
# A text of nothing but these, in English, shows nothing: "this one without a hat", "now the same, no hat"
SAME = frozenset((
    "a", "an", "the", "this", "that", "these", "those", "my", "your", "his", "her", "i", "you", "we", "they", "me",
    "one", "same", "please", "draw", "make", "do", "want", "now", "only", "just", "also", "still", "and", "or",
    "able", "wanting", "thanks", "thank",
))  # fmt: skip
