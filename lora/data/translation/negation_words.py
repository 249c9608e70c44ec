"""The words by which ``negative`` finds what shall not be in a drawing, and those that say something else."""

from __future__ import annotations

# "without" of each language that has a word for it in front of the noun; | stands between two.
WITHOUT = {
    "en": "without|w/o", "ru": "без|безо|не рисуй|не рисуйте", "uk": "без|не малюй|не малюйте",
    "be": "без", "bg": "без", "sr": "без|bez", "hr": "bez",
    "cs": "bez|beze", "sk": "bez", "pl": "bez|beze", "de": "ohne", "nl": "zonder", "sv": "utan", "da": "uden",
    "nb": "uten", "es": "sin", "ca": "sense", "fr": "sans", "it": "senza", "pt": "sem", "ro": "fără|fara",
    "el": "χωρίς|δίχως", "fi": "ilman", "et": "ilma", "lt": "be", "id": "tanpa", "vi": "không có", "hy": "առանց",
}  # fmt: skip
BEHIND = {"hu": "nélkül", "tr": "olmadan"}  # languages that say it behind the noun
ENDINGS = {"tr": "s[ıiuü]z", "az": "s[ıiuü]z", "kk": "с[ыі]з"}  # or have an ending for it
# In front of what is in WORN: "не в шапке"
NOT_IN = {"en": "not in|not wearing", "ru": "не в|не во", "uk": "не в|не у"}
WORN = frozenset((
    "apron", "beanie", "boots", "cap", "cape", "cloak", "clothes", "coat", "costume", "crown", "dress", "glasses",
    "gloves", "hat", "helmet", "hood", "jacket", "jeans", "mask", "mittens", "pajamas", "pants", "sandals", "scarf",
    "shirt", "shoes", "shorts", "skirt", "sneakers", "socks", "suit", "sunglasses", "sweater", "t-shirt", "tie",
    "trousers", "vest",
))  # fmt: skip
HAS_NO = {"ru": "нет|нету", "uk": "немає|нема"}  # behind "у" and the owner: "у кота нет шапки"
OWNED_BY = "у"
WHOSE = frozenset(("которого", "которой", "которых", "якого", "якої", "яких"))
NO = {
    "en": "no",
    "de": "kein|keine|keinen|keinem|keiner",
    "nl": "geen",
    "sv": "ingen|inget|inga",
    "da": "ingen|intet",
    "nb": "ingen|inget",
}
# In front of "no" that is a word of its own: "a no entry sign", "a bear saying no", "a sign no dogs"
NOT_BEFORE_NO = frozenset((
    "a", "an", "the", "say", "says", "saying", "said", "word", "words", "reads", "reading", "means", "oh", "or",
    "hear", "see", "speak", "sign", "poster", "text", "caption", "inscription", "lettering", "banner", "shirt",
))  # fmt: skip
# Behind "no" that goes with them: "no smoking", "a no parking sign", "no worries"
NOT_AFTER_NO = frozenset((
    "one", "way", "more", "longer", "smoking", "entry", "parking", "matter", "doubt", "problem", "thanks", "thank",
    "worries", "idea", "comment", "comments", "pain", "gain", "maybe", "yes", "kidding", "joke", "place", "rest",
    "swimming", "trespassing", "littering", "excuses", "regrets", "rush", "chance", "fear", "mercy", "evil",
))  # fmt: skip
SIGNS = frozenset(
    ("sign", "signs", "symbol", "emoji", "sticker", "button", "zone", "allowed", "poster", "club")
)
# What would be left hanging in front of "no": "a fox with", "a fox wearing", "a fox and"
HANGING = frozenset(
    ("with", "and", "or", "but", "wearing", "having", "has", "have", "is", "are", "there", "that")
)
# Nothing to draw without: "lost without you"
PRONOUNS = frozenset((
    "you", "me", "him", "her", "it", "us", "them", "тебя", "меня", "него", "нее", "нас", "вас", "них", "кого", "всех",
    "тебе", "мене", "нього", "неї", "всіх",
))  # fmt: skip
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
    "able", "wanting",
))  # fmt: skip
