"""Which scenes a drawing can be in: as the one who acts, or as what is held, worn, eaten, ridden."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from random import Random

from lora.pretrain.acts import table
from lora.pretrain.acts.act import Act, Source
from lora.pretrain.acts.figure import Build
from lora.pretrain.names.held_out_scenes import is_held_out

FEELING = 0.6  # share of an actor's scenes that show an emotion only
MOOD = 0.25  # share of other scenes in which the actor also has an emotion
SIGNED = 0.5  # share of emotions that have a sign beside the head
SIDEWAYS = 0.25  # share of rides by an animal from the side

# verb -> concepts of the other thing
PROPS: dict[str, frozenset[str]] = {
    "drinking": table.DRINKS,
    "eating": table.FOODS,
    "reading": frozenset(table.READ),
    "playing": table.PLAYED,
    "holding": table.UPRIGHT | table.IN_FRONT,
    "wearing": frozenset(table.HATS) | table.EYEWEAR | frozenset(table.NECKWEAR) | {"headphone"},
    "riding": frozenset(table.ASTRIDE),
    "in": frozenset(table.INSIDE),
    "on": table.UPON,
}
ALWAYS = ("loving", "beside")  # verbs that any other thing fits
UNCHANGED = ("beside", "riding", "on")  # verbs of an actor that is shown as it is
ANIMALS = 3
JOINED = (
    ANIMALS,
    4,
    6,
    7,
)  # emojibase's groups of what may be the other thing: animals, food, activities, objects


class Cast:
    """Makes acts of a list of drawings (rows of ``drawings.json``) that ``source`` has."""

    def __init__(self, drawings: Sequence[dict[str, object]], source: Source) -> None:
        self._concepts = [str(drawing["concept"]) for drawing in drawings]
        self._styles = [str(drawing["style"]) for drawing in drawings]
        self._groups = [drawing["group"] for drawing in drawings]
        self._rows: dict[str, dict[str, int]] = {}
        for row, (style, concept) in enumerate(zip(self._styles, self._concepts, strict=True)):
            self._rows.setdefault(style, {}).setdefault(concept, row)
        self._source = source
        self._builds = {row: build for row in range(len(drawings)) if (build := self._build(row))}

    def _build(self, row: int) -> Build | None:
        concept = self._concepts[row]
        if concept in table.HEADS:
            seen = concept in table.EYES or self._source.eyes(row) is not None
            return Build.HEAD if seen else None
        if concept in table.WHOLE:
            return Build.WHOLE
        return Build.THING if concept in table.THINGS else None

    def act(self, row: int, rng: Random) -> Act | None:
        """A random scene with the drawing; None if it is in none of the tables' roles, or the scene is held out."""
        found = self._any(row, rng)
        if found is None:
            return None
        what = (
            self._concepts[found.other]
            if found.other >= 0
            else table.FIRE
            if found.verb == "breathing fire"
            else ""
        )
        return None if is_held_out(self._concepts[found.actor], what, found.emotion) else found

    def can_act(self, row: int) -> bool:
        """Whether the drawing is a character, or a thing that gets a face, arms and legs."""
        return row in self._builds

    def _any(self, row: int, rng: Random) -> Act | None:
        roles = [verb for verb, concepts in PROPS.items() if self._concepts[row] in concepts]
        if self.can_act(row) and (not roles or rng.random() < 0.6):
            return self._of_actor(row, rng)
        if self._concepts[row] in table.SIDEWAYS and rng.random() < 0.6:
            return self._of_animal(row, rng)
        if not roles:
            return self._joined(row, rng)
        return self._of_prop(row, rng.choice(roles), rng)

    def _of_actor(self, row: int, rng: Random) -> Act | None:
        known = self._rows[self._styles[row]]
        if rng.random() < FEELING and (act := self._feeling(row, rng)):
            return act
        verbs = list(PROPS)
        if self._builds[row] is Build.HEAD and table.FIRE in known:
            verbs.append("breathing fire")
        verb = rng.choice(verbs)
        if verb == "breathing fire":
            return self._with_face(
                Act(verb=verb, actor=row, build=self._builds[row], mark=known[table.FIRE]), rng
            )
        others = [
            known[concept] for concept in sorted(PROPS[verb]) if concept in known and known[concept] != row
        ]
        return self._made(verb, row, rng.choice(others), rng) if others else None

    def _of_prop(self, row: int, verb: str, rng: Random) -> Act | None:
        known = self._rows[self._styles[row]]
        if verb in ("riding", "on") and rng.random() < SIDEWAYS:
            animals = [known[c] for c in sorted(table.SIDEWAYS) if c in known and known[c] != row]
            if animals:
                return Act(verb=verb, actor=rng.choice(animals), build=None, other=row)
        return self._made(verb, self._someone(row, rng), row, rng)

    def _of_animal(self, row: int, rng: Random) -> Act | None:
        known = self._rows[self._styles[row]]
        verb = rng.choice(("riding", "on"))
        mounts = ["skateboard", "sled", "turtle", "snail"] if verb == "riding" else sorted(table.UPON)
        others = [known[concept] for concept in mounts if concept in known and known[concept] != row]
        return Act(verb=verb, actor=row, build=None, other=rng.choice(others)) if others else None

    def _joined(self, row: int, rng: Random) -> Act | None:
        """A drawing without a role is held, loved, or stands beside somebody; an animal is not held."""
        if self._groups[row] not in JOINED or self._concepts[row].endswith(" face"):
            return None
        verbs = ALWAYS if self._groups[row] == ANIMALS else ("holding", *ALWAYS)
        return self._made(rng.choice(verbs), self._someone(row, rng), row, rng)

    def _someone(self, row: int, rng: Random) -> int:
        """A character of the same set: mostly a living one."""
        same = [r for r in self._builds if self._styles[r] == self._styles[row] and r != row]
        alive = [r for r in same if self._builds[r] is not Build.THING]
        choice = alive if alive and rng.random() < 0.8 else same
        return rng.choice(choice) if choice else -1

    def _made(self, verb: str, actor: int, other: int, rng: Random) -> Act | None:
        """The act, with a face for a thing and for some of the others."""
        if actor < 0:
            return None
        build, concept = self._builds[actor], self._concepts[other]
        if verb == "wearing" and not self._fits(actor, concept):
            return None
        known = self._rows[self._styles[actor]]
        act = Act(verb=verb, actor=actor, build=build, other=other, seed=rng.randrange(2**31))
        if verb == "loving":
            if table.HEART not in known:
                return None
            act = replace(act, mark=known[table.HEART], emotion="in love")
            return self._with_face(act, rng)
        eyes_covered = concept in table.EYEWEAR
        if build is not Build.WHOLE and not eyes_covered and rng.random() < MOOD:
            act = replace(act, emotion=self._emotion(actor, rng))
        return self._with_face(act, rng)

    def _fits(self, actor: int, worn: str) -> bool:
        """Whether an actor can wear it: only a head has a neck and ears, and a snowman has a hat already."""
        if self._builds[actor] is Build.HEAD:
            return True
        if worn in table.EYEWEAR and self._builds[actor] is Build.WHOLE and self._source.eyes(actor) is None:
            return False
        return worn not in table.NECKWEAR and worn != "headphone" and "snowman" not in self._concepts[actor]

    def _feeling(self, row: int, rng: Random) -> Act | None:
        if self._builds[row] is Build.WHOLE:
            return None
        emotion = self._emotion(row, rng)
        mark = -1
        known = self._rows[self._styles[row]]
        if emotion in table.MARKS and rng.random() < SIGNED:
            mark = known.get(table.MARKS[emotion], -1)
        act = Act(
            verb="feeling",
            actor=row,
            build=self._builds[row],
            emotion=emotion,
            mark=mark,
            seed=rng.randrange(2**31),
        )
        return self._with_face(act, rng)

    def staged(self, verb: str, actor: int, other: int, rng: Random, *, emotion: str = "") -> Act | None:
        """A certain scene, as a measurement asks for it; None if no drawing of the set shows the emotion.

        An actor without a head in front view and without a role in the tables is shown as it is.
        """
        act = Act(
            verb=verb,
            actor=actor,
            build=self._builds.get(actor),
            other=other,
            emotion="in love" if verb == "loving" else emotion,
            seed=rng.randrange(2**31),
        )
        sign = {"loving": table.HEART, "breathing fire": table.FIRE}.get(verb)
        if sign:
            act = replace(act, mark=self._rows[self._styles[actor]].get(sign, -1))
        if (sign and act.mark < 0) or (act.build is None and verb not in UNCHANGED):
            return None
        return self._with_face(act, rng)

    def _emotion(self, row: int, rng: Random) -> str:
        return rng.choice(table.COVERED if self._concepts[row] in table.EYES else tuple(table.EMOTIONS))

    def _with_face(self, act: Act, rng: Random) -> Act | None:
        """The act with the emoji face that shows its emotion; None if the set lacks it."""
        known = self._rows[self._styles[act.actor]]
        wanted = (
            table.EMOTIONS[act.emotion] if act.emotion else table.CALM if act.build is Build.THING else ()
        )
        if act.build is not Build.THING and act.emotion in table.EYES_TELL:
            wanted = table.EYES_TELL[act.emotion]
        faces = [known[concept] for concept in wanted if concept in known]
        if not wanted:
            return act
        if not faces or table.NEUTRAL not in known:
            return None
        return replace(act, face=rng.choice(faces), neutral=known[table.NEUTRAL])
