"""Reads a prompt once, and parts what it should show from what it should not: "without a hat", "doesn't have a hat"."""

from __future__ import annotations

import re
from collections.abc import Callable

from lora.data.translation.dictionary import in_languages, longest
from lora.data.translation.grammar import Word
from lora.data.translation.language import languages_of, script
from lora.data.translation.lexicon import ADJECTIVES, is_english, lexicon
from lora.data.translation.negation_words import (
    AFTER,
    ARTICLES,
    BEFORE_NOUNS,
    BEHIND,
    BUT,
    BUT_NOT,
    ENDINGS,
    HANGING,
    HAS_NO,
    NEEDLESS,
    NEGATIONS,
    NO,
    NOT_AFTER_NO,
    NOT_BEFORE_NO,
    NOT_HAVING,
    NOT_IN,
    NOT_NEEDED,
    OWNED_BY,
    POINTING,
    PRONOUNS,
    SAYING,
    SIGNS,
    SPEAKERS,
    SPEECH,
    SUBJECTS,
    THANKS,
    WHOSE,
    WITHOUT,
    WORN,
    WORN_ON,
    Phrases,
)
from lora.data.translation.noun_phrases import JOINING, NounPhrases, nominative, word_at
from lora.data.translation.stems import fold, is_word, tokens

QUOTES = "\"'«“„‘"
CLAUSE_ENDS = ",.;:!?\n"
DESCRIBING = (*ADJECTIVES, "determiner")
INFINITIVE = re.compile(r"[аеиоуыя]ть(ся)?\Z")  # Russian
LONGEST = max(
    len(tokens(said)) for way in (WITHOUT, NOT_NEEDED, NOT_HAVING) for said in set().union(*way.values())
)


class Reader:
    """Reads a text once. ``kept`` are the tokens of what is wanted, ``found`` the things that are not."""

    def __init__(self, text: str, hint: str | None) -> None:
        self.kept: list[str] = []
        self.found: list[str] = []
        self.named: dict[
            str, str
        ] = {}  # things of ``found`` as a dictionary has them, if another case was written
        # Whether the text begins with a thing; whether slogans are worded as it is: "no money", "не надо войны"
        self.took_first = self.said_no = False
        self._left = tokens(text)
        self._hint = (hint or "").split("-")[0].lower()
        self.by_script = languages_of(text, hint)
        # In front of a thing; what may stand before them; which things they leave out
        self._ways: tuple[tuple[Phrases, Callable[[], bool], Callable[[str], bool]], ...] = (
            (WITHOUT, self._may_be_without, bool),
            (NOT_NEEDED, self._is_not_said, self._is_noun),
            (NOT_HAVING, self._has_subject, self._is_noun),
            (NO, self._may_be_no, bool),
            (NOT_IN, self._may_be_without, self._is_worn),
            (HAS_NO, self._has_owner, self._is_owned),
        )

        self._takes = (self._take_in_front, self._take_other, self._take_behind, self._take_ending)

    def read(self) -> None:
        """Read all of the text."""
        while self._left:
            if not any(take() for take in self._takes):
                self.kept.append(self._left.pop(0))

    def _take_in_front(self) -> bool:
        """Take "without a hat" and the like; False if the text goes on with something else."""
        for words, allowed, fits in self._ways:
            if not (used := self._says(words)) or self._quoted() or self._is_phrase(used) or not allowed():
                continue
            stops = AFTER.get(self._language(self._left[0]), ())
            things = NounPhrases(self._left, used, self.by_script, stops)
            if not things.items or _is_named_so(things.items, words is NO):
                continue
            if not all(map(fits, things.items)):
                continue
            if words is WITHOUT and self._is_undone(things.end):
                continue
            if words is HAS_NO:
                self._drop_owned_by()
            elif words in (NOT_NEEDED, NOT_HAVING):
                self._drop_subject()
            self.took_first |= not any(map(is_word, self.kept))
            self.said_no |= words not in (WITHOUT, NOT_IN)
            self.found += things.items
            if words is NOT_IN and self._language(things.items[0]) == "ru":
                self.named |= {item: nominative(self._words(item)) or item for item in things.items}
            self._left = self._left[things.end :]
            self._trim()
            return True
        return False

    def _take_other(self) -> bool:
        """Take "but not a dog", and "not a dog, but" of "not a dog, but a cat"; False if nothing is said so."""
        if not (used := self._says(BUT_NOT)) or self._quoted() or self._is_phrase(used):
            return False
        things = NounPhrases(self._left, used, self.by_script)
        if not things.items or not self._is_not_said() or not all(map(self._is_other, things.items)):
            return False
        before, end = [fold(token) for token in self.kept if not token.isspace()], things.end
        if comes_first := all(word in POINTING for word in before):
            end = self._behind_but(end)
        elif (used == 1 and before[-1] != ",") or not self._names_thing():
            return False
        if not end:
            return False
        if comes_first:
            self.kept = []
        self.found += things.items
        self._left = self._left[end:]
        self._trim()
        return True

    def _take_behind(self) -> bool:
        """Take "kalap nélkül" and "шапку не надо"; False if the text goes on with something else."""
        if not self.kept or not self.kept[-1].isspace():
            return False
        begin = self._last_things()
        item = "".join(self.kept[begin:]).strip()
        if not item or fold(item) in PRONOUNS | SPEAKERS | SUBJECTS:
            return False
        if used := self._says(BEHIND):
            del self.kept[begin:]
        elif (used := self._says(NEEDLESS)) and self._ends_clause(used) and self._is_needless(begin, used):
            del self.kept[begin:]
            if OWNED_BY in map(fold, self._clause()):
                self._drop_owned_by()
            else:
                self._drop_subject()
            self.said_no = True
            self._trim()
        else:
            return False
        self.found += self._parted(item)
        self._left = self._left[used:]
        return True

    def _take_ending(self) -> bool:
        """Take "şapkasız"; False if the text goes on with something else."""
        language, word = self._language(self._left[0]), fold(self._left[0])
        if not (ending := ENDINGS.get(language)) or not (cut := re.fullmatch(f"(.+){ending}", word)):
            return False
        words = lexicon(language)
        if words.find_form(word) or not (thing := words.find(cut[1])) or thing.kind != "noun":
            return False
        self.found.append(cut[1])
        self._left.pop(0)
        return True

    def _says(self, words: Phrases, place: int = 0) -> int:
        """How many tokens from a place on are one of these phrases of the text's language, or of the hint's; else 0."""
        left = self._left[place : place + LONGEST]
        for count in range(len(left), 0, -1):
            said = fold("".join(left[:count]))
            language = self._language(said)
            if said in words.get(language, ()):
                return count
            if said in words.get(self._hint, ()) and not is_english(said):
                self.by_script[script(said)] = self._hint
                return count
        return 0

    def _language(self, token: str) -> str:
        return self.by_script.get(script(token), "en")

    def _word(self, token: str) -> Word:
        return word_at([token], self._language(token))[1]

    def _words(self, written: str) -> list[Word]:
        left, found = tokens(written), []
        while left:
            used, word = word_at(left, self._language(left[0]))
            found += [] if left[0].isspace() else [word]
            left = left[used:]
        return found

    def _quoted(self) -> bool:
        return bool(self.kept) and self.kept[-1] in QUOTES

    def _is_phrase(self, used: int) -> bool:
        """Whether the dictionary has the word with what follows: "без сил" is tired."""
        count, found = longest(self._left, self._language(self._left[0]))
        return bool(found) and count > used

    def _clause(self) -> list[str]:
        """The words that are kept since the last comma or the like."""
        ends = (place for place in range(len(self.kept), 0, -1) if self.kept[place - 1] in CLAUSE_ENDS)
        return [token for token in self.kept[next(ends, 0) :] if is_word(token)]

    def _may_be_no(self) -> bool:
        words = [fold(token) for token in self.kept if is_word(token)]
        before = next((fold(token) for token in reversed(self.kept) if not token.isspace()), "")
        behind = fold(self._left[2]) if len(self._left) > 2 and self._left[1].isspace() else ""
        named = before in NOT_BEFORE_NO or "yes" in words
        return not (named or behind in NOT_AFTER_NO or behind.isdigit())

    def _may_be_without(self) -> bool:
        """Whether no other negation stands in the clause, and nobody says what follows."""
        before = next((fold(token) for token in reversed(self.kept) if not token.isspace()), "")
        return before not in SAYING and NEGATIONS.isdisjoint(map(fold, self._clause()))

    def _is_not_said(self) -> bool:
        """Whether nobody in the text says what follows: "кот говорит не надо войны"."""
        return SPEECH.isdisjoint(fold(token) for token in self.kept)

    def _has_subject(self) -> bool:
        """Whether somebody is named who has not got it. "I don't have money" and "don't have a cow" show nobody."""
        before = next((fold(token) for token in reversed(self.kept) if is_word(token)), "")
        told = not before and fold(self._left[0]) in ("don't", "do", "dont")
        return self._is_not_said() and before not in SPEAKERS and not told

    def _has_owner(self) -> bool:
        """Whether "у" and a noun stand in front, or "у которого"; "у меня нет денег" shows nobody."""
        words = [fold(token) for token in self.kept if not token.isspace()]
        if len(words) < 2 or words[-2] not in (OWNED_BY, WORN_ON) or not is_word(words[-1]):
            return False
        return words[-1] not in PRONOUNS or words[-1] in WHOSE

    def _is_owned(self, written: str) -> bool:
        """Whether "у" stands in front, or "на" and somebody who wears the thing."""
        words = [fold(token) for token in self.kept if not token.isspace()]
        return words[-2] == OWNED_BY or self._is_worn(written)

    def _drop_owned_by(self) -> None:
        """Take "у" or "на" away from in front of the owner, and all of "у которого"."""
        places = [place for place, token in enumerate(self.kept) if fold(token) in (OWNED_BY, WORN_ON)]
        whose = any(fold(token) in WHOSE for token in self.kept[places[-1] :])
        self.kept[places[-1] : None if whose else places[-1] + 1] = []

    def _drop_subject(self) -> None:
        """Take away a pronoun at the end: "a fox, it doesn't have a hat"."""
        while self.kept and (self.kept[-1].isspace() or fold(self.kept[-1]) in SUBJECTS | SPEAKERS):
            self.kept.pop()

    def _last_things(self) -> int:
        """The place in ``kept`` where its last things begin: nouns or unknown words with adjectives, and "and"."""
        begin = len(self.kept)
        allowed: tuple[str, ...] = ("noun", "foreign")
        for place in range(begin - 1, -1, -1):
            token = self.kept[place]
            word = self._word(token)
            if begin < len(self.kept) and word.english in JOINING:
                allowed = ("noun", "foreign")
            elif is_word(token) and word.kind in allowed:
                begin, allowed = place, DESCRIBING
            elif not token.isspace():
                break
        return begin

    def _parted(self, written: str) -> list[str]:
        """Things that are joined by "and", one by one."""
        parts = [""]
        for token in tokens(written):
            if is_word(token) and self._word(token).english in JOINING:
                parts.append("")
            else:
                parts[-1] += token
        return [part.strip() for part in parts]

    def _is_needless(self, begin: int, used: int) -> bool:
        """Whether a noun stands in ``kept`` from ``begin`` on that a person does not need or somebody has not got."""
        said, item = fold("".join(self._left[:used])), self.kept[begin:]
        before = next((fold(token) for token in reversed(self.kept[:begin]) if not token.isspace()), ",")
        word = self._word(next(token for token in reversed(item) if is_word(token)))
        if word.kind != "noun" or not self._is_not_said() or self._names_speaker():
            return False
        if said in HAS_NO.get(self._language(said), ()):
            return word.inflected
        return before in CLAUSE_ENDS or (before not in NEGATIONS and self._word(before).kind != "preposition")

    def _names_speaker(self) -> bool:
        """Whether "у меня" or the like stands in the clause."""
        clause = [fold(token) for token in self._clause()]
        owners = [clause[i + 1] for i, word in enumerate(clause[:-1]) if word == OWNED_BY]
        return any(owner in PRONOUNS and owner not in WHOSE for owner in owners)

    def _ends_clause(self, place: int) -> bool:
        """Whether nothing but "please" is left before a comma or the like, or the end."""
        words = (token for token in self._left[place:] if not token.isspace() and fold(token) not in THANKS)
        return next(words, ",") in CLAUSE_ENDS

    def _is_undone(self, place: int) -> bool:
        """Whether "without a hat" is not wanted itself: "без шапки не надо"."""
        while place < len(self._left) and self._left[place].isspace():
            place += 1
        used = self._says(NEEDLESS, place)
        return bool(used) and self._ends_clause(place + used)

    def _behind_but(self, place: int) -> int:
        """The place behind "but", if that is what comes at this one; else 0."""
        while place < len(self._left) and (self._left[place].isspace() or self._left[place] == ","):
            place += 1
        return place + 1 if place < len(self._left) and fold(self._left[place]) in BUT else 0

    def _names_thing(self) -> bool:
        """Whether what is kept so far has a noun: "красивый, но не умный кот" leaves no cat out."""
        return any(self._word(token).kind in ("noun", "foreign") for token in self.kept if is_word(token))

    def _is_other(self, written: str) -> bool:
        """Whether words name a thing, or nothing but colours; in languages with articles, a thing has one."""
        words = self._words(written)
        if all(word.kind in ("colour", "hair") for word in words):
            return True
        with_articles = script(written) == "LATIN" and self._language(words[0].source) != "pl"
        return self._is_noun(written) and (not with_articles or words[0].source in ARTICLES)

    def _is_noun(self, written: str) -> bool:
        """Whether a thing has a noun that is known, and begins with no verb; or an emoji."""
        words = self._words(written)
        acts = words[0].kind == "verb" or (INFINITIVE.search(words[0].source) and words[0].inflected)
        named = any(word.kind == "noun" for word in words) and not acts
        return named or not any(map(str.isalnum, written))

    def _is_worn(self, written: str) -> bool:
        """Whether somebody wears the thing: "не в шапке"; "не в духе" and "not in Kansas" are no clothes."""
        return not WORN.isdisjoint(in_languages(written, self.by_script, "without").english.split()[-1:])

    def _trim(self) -> None:
        """Take away what would hang at the seam: "with", "and", a comma."""
        taken = ""
        while self.kept and (
            self.kept[-1].isspace()
            or self.kept[-1] == ","
            or self._hangs(self.kept[-1])
            or (taken in ("has", "have", "is", "are") and fold(self.kept[-1]) in SUBJECTS)
        ):
            taken = fold(last) if is_word(last := self.kept.pop()) else taken
        self.kept.append(" ")

    def _hangs(self, token: str) -> bool:
        word, language = fold(token), self._language(token)
        return word in HANGING or word in AFTER.get(language, ()) or self._word(token).english in HANGING


def _is_named_so(items: list[str], is_no: bool) -> bool:
    """Whether the word belongs to a name, "no entry sign", or to nothing that can be drawn, "without you"."""
    words = fold(items[-1]).split()
    if is_no:
        return words[-1] in SIGNS
    return words[0] in PRONOUNS and (len(words) == 1 or words[0] not in BEFORE_NOUNS)
