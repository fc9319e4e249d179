"""Seeded generator of little stories and of chats about them (see README.md)."""

import argparse
import random
import re

import words as w
from skeletons import SKELETONS

CHOICE = re.compile(r"\{([^{}]*)\}")
SLOT = re.compile(r"\[(\w+)\]")
PRONOUNS = {
    "f": ("she", "her", "her", "herself", "girl"),
    "m": ("he", "him", "his", "himself", "boy"),
}
FOLK_WEIGHTS = [("animal", 48), ("child", 27), ("folk", 13), ("sea", 6), ("thing", 6)]


def pick_choices(template, rng):
    """Resolves the innermost `{a|b}` again and again until none is left."""
    while "{" in template:
        template = CHOICE.sub(lambda m: rng.choice(m.group(1).split("|")), template)
    return template


def capital(text):
    return text[:1].upper() + text[1:]


def fill(template, slots, rng):
    """Expands a template; slots that are callables are drawn anew at every use."""
    def value(match):
        key = match.group(1)
        found = slots[key[0].lower() + key[1:]]
        text = found() if callable(found) else found
        return capital(text) if key[0].isupper() else text
    return SLOT.sub(value, pick_choices(template, rng))


def tidy(text):
    """Repairs what templates cannot know: spaces, a/an, capitals at sentence starts."""
    text = re.sub(r"[ \t]*\n[ \t]*", "\n", text)
    text = re.sub(r" {2,}", " ", text).strip()
    text = re.sub(r"\b([Aa]) (?=(?!uni|use|one\b)[aeiou])", r"\1n ", text)
    text = re.sub(r"(^|[.!?]\s|\.\"\s|[ \n(]\"|^\")([a-z])",
                  lambda m: m.group(1) + m.group(2).upper(), text)
    return text


def made_up_word(rng):
    """A word of two or three syllables that is in no list: bolun, Tremika."""
    count = rng.choice([2, 2, 3])
    return "".join(rng.choice(w.ONSETS) + rng.choice(w.VOWELS) for _ in range(count)) \
        + rng.choice(w.CODAS)


class Character:
    """Somebody in a story, with a fixed name, kind and gender."""

    def __init__(self, rng, group, taken, gender="", named=None, kind="", name=""):
        self.rng = rng
        self.group = group
        self.kind, self.gender = self.choose_kind(taken, gender, kind)
        self.he, self.him, self.his, self.himself, child = PRONOUNS[self.gender]
        if group == "child":
            self.kind = child
        if named is None:
            named = rng.random() < (0.9 if group == "child" else 0.62)
        self.name = name or (self.choose_name(taken) if named else "")
        self.trait, self.noun = self.choose_noun()
        taken.update({self.kind, self.name})

    def choose_kind(self, taken, gender, kind):
        rng = self.rng
        gender = gender or rng.choice("fm")
        if self.group == "child" or kind:
            return kind or "child", gender
        pool = {"animal": w.ANIMALS, "sea": w.SEA_ANIMALS, "folk": list(w.FOLK),
                "thing": w.THING_HEROES}[self.group]
        kind = rng.choice([k for k in pool if k not in taken])
        fixed = "f" if kind == "mermaid" else w.FOLK.get(kind, "")
        return kind, fixed or gender

    def choose_name(self, taken):
        people = w.GIRLS if self.gender == "f" else w.BOYS
        pets = self.group != "child" and self.rng.random() < 0.55
        return self.rng.choice([n for n in (w.PETS if pets else people) if n not in taken])

    def choose_noun(self):
        """The noun of the first mention: fox, little fox, brave fox, brave little fox."""
        rng = self.rng
        size = rng.choice(w.BIG_SIZES if self.kind in w.BIG_KINDS else w.SIZES)
        trait = rng.choice([t for t in w.TRAITS if t != size])
        style = rng.choices(["size", "plain", "trait", "both"], [40, 15, 18, 27])[0]
        if style == "both" and self.kind in w.BIG_KINDS:
            style = "trait"
        if style == "both":
            size = rng.choice(["little", "little", "young"])
        before = {"size": size, "plain": "", "trait": trait, "both": f"{trait} {size}"}[style]
        self.short_adj = size if style in ("size", "both") else ""
        return trait, f"{before} {self.kind}".strip()

    def intro(self):
        if not self.name:
            return f"a {self.noun}"
        return f"a {self.noun} {self.rng.choice(['named', 'named', 'called'])} {self.name}"

    def mention(self):
        roll = self.rng.random()
        if self.name and roll < (0.93 if self.group == "child" else 0.72):
            return self.name
        if self.short_adj and roll > 0.86:
            return f"the {self.short_adj} {self.kind}"
        return f"the {self.kind}"


class Cast:
    """The slots of one story: everybody and everything that it mentions."""

    def __init__(self, rng, skeleton, hero_group, kind, name):
        self.rng, self.skeleton = rng, skeleton
        self.sea = hero_group == "sea"
        taken = set()
        self.hero = Character(rng, hero_group, taken, kind=kind, name=name)
        self.friend = self.make_friend(taken)
        self.slots = {}
        self.add_people(taken)
        self.add_things()
        self.add_extras(taken)

    def make_friend(self, taken):
        rng = self.rng
        group = "sea" if self.sea else rng.choices(["animal", "child", "folk"], [72, 18, 10])[0]
        if group == self.hero.group == "child":  # so that "the girl" is only one of them
            return Character(rng, group, taken, "f" if self.hero.gender == "m" else "m", named=True)
        # Two pronouns are easier to tell apart than one, so they mostly differ.
        gender = rng.choice("fm")
        if gender == self.hero.gender and rng.random() < 0.6:
            gender = "f" if gender == "m" else "m"
        return Character(rng, group, taken, gender, named=group == "child" or rng.random() < 0.4)

    def add_person(self, key, person):
        self.slots.update({key or "h": person.mention})
        self.slots.update({key + "he": person.he, key + "him": person.him,
                           key + "his": person.his, key + "himself": person.himself})

    def add_people(self, taken):
        rng, s = self.rng, self.slots
        self.add_person("", self.hero)
        self.add_person("f", self.friend)
        s["hintro"] = self.hero.intro
        s["fintro"] = self.friend.intro
        kind, _ = rng.choice([h for h in (w.SEA_HELPERS if self.sea else w.HELPERS)
                              if h[0] not in taken])
        taken.add(kind)
        adj = rng.choice(w.HELPER_ADJ)
        s.update(gintro=f"a {adj} {kind}", g=lambda: rng.choice([f"the {kind}", f"the old {kind}"]))
        s["g1"] = "an old " + rng.choice([k for k in ("crow", "goat", "frog", "hen", "sheep") if k not in taken])
        s["fdef"] = f"{self.friend.name} the {self.friend.kind}" if self.friend.name \
            and self.friend.group != "child" else (self.friend.name or f"the {self.friend.kind}")
        s["flong"] = s["fdef"] + rng.choice(["", " on the other side of the hill"])
        s["hello"] = rng.choice(["Hello", "Good morning"] +
                                ([f"Hello, my name is {self.hero.name}"] * 2 if self.hero.name else []))

    def add_things(self):
        rng, s, sea = self.rng, self.slots, self.sea
        pool = w.SEA_OBJECTS if sea else w.OBJECTS
        adj, self.thing = rng.choice([o for o in pool if o[1] != self.hero.kind])
        s.update(thing=self.thing, obj=f"{adj} {self.thing}")
        s["home"] = rng.choice(w.SEA_HOMES if sea else w.HOMES)
        # A spot that repeats the home ("near the mill" twice) would read oddly.
        s["p1"], s["p2"], s["p3"] = rng.sample(w.SEA_SPOTS if sea else w.SPOTS, 3)
        s["time"], s["wx"] = rng.choice(w.SEA_TIMES if sea else w.TIMES)
        s["hobby"], s["hobby2"] = rng.sample(w.SEA_HOBBIES if sea else w.HOBBIES, 2)
        s["trait"] = rng.choice([t for t in w.TRAITS if t != self.hero.trait])

    def add_extras(self, taken):
        rng, s = self.rng, self.slots
        s["food"], s["fruits"] = rng.choice(w.FOODS), rng.choice(w.FRUITS)
        s["dish"], s["skill"] = rng.choice(w.DISHES), rng.choice(w.SKILLS)
        s["ing1"], s["ing3"] = rng.sample(w.INGREDIENTS, 2)
        s["ing2"] = rng.choice(w.SOFT_INGREDIENTS)
        s["fear"], cures = rng.choice(w.FEARS)
        s["cure"] = rng.choice(cures)
        s["build"], s["breakable"] = rng.choice(w.BUILDS), rng.choice(w.BREAKABLES)
        big = rng.choice([b for b in w.BIG_ONES if b not in taken])
        adj = rng.choice(["", "huge ", "big ", "terrible "])
        he, him, his, _, _ = PRONOUNS[rng.choice("fm")]
        s.update(abig=f"a {adj}{big}", thebig=f"the {big}", bhe=he, bhim=him, bhis=his, big=big)
        s["mthing"] = rng.choice([m for m in w.MAGIC_THINGS if m != self.thing])
        s["toy"] = rng.choice([t for t in w.TOYS if t not in taken])
        s["rel"], gender = rng.choice(w.RELATIVES)
        _, s["rhim"], s["rhis"], _, _ = PRONOUNS[gender]

    def fill(self, template):
        return fill(template, self.slots, self.rng)


# Weighted by repetition: half of all stories start "Once upon a time".
ONCE = [
    "Once upon a time, there was [hintro].",
    "Once upon a time, there was [hintro] who lived [home].",
    "Once upon a time, there was [hintro]. [He] lived [home].",
    "Once upon a time, [home], there lived [hintro].",
    "Once upon a time there was [hintro].",
    "Once upon a time, [hintro] lived [home].",
]
OTHER = [
    "Long ago, there was [hintro] who lived [home].",
    "Long, long ago, [hintro] lived [home].",
    "There once was [hintro]. [He] lived [home].",
    "There was once [hintro] who lived [home].",
    "Far away, [home], there lived [hintro].",
    "[Home], there lived [hintro].",
    "In a land far away, there was [hintro].",
    "This is the story of [hintro] who lived [home].",
    "Not so long ago, [home], there was [hintro].",
    "Do you know the story of [hintro]? Listen!",
]
NAMED = [
    "[Name] was a [noun]. [He] lived [home].",
    "[Name] was a [noun] who lived [home].",
    "[Name] the [kind] lived [home].",
    "The [noun] was called [name]. [He] lived [home].",
    "Little [name] was a [kind] who lived [home].",
]
UNNAMED = [
    "The [noun] lived [home].",
    "A [noun] lived [home].",
    "The [noun] had a {little|small} house [home].",
    "The [noun] was {happy|all alone|new here}. [He] lived [home].",
]
TRAIT_LINES = [
    "[He] was very [trait].", "[He] was always [trait].",
    "Everybody liked [him] because [he] was so {kind|friendly|cheerful|funny|helpful|nice}.",
]
HOBBY_LINES = [
    "[He] loved to [hobby].", "[He] liked to [hobby].", "Every day, [he] liked to [hobby].",
    "[H] loved to [hobby] and to [hobby2].", "More than anything, [he] loved to [hobby].",
]
CLOSINGS = [
    "The end.", "The end.", "And they all lived happily ever after.",
    "And that is the end of the story.", "What a day that was!",
    "That night, everyone slept well.", "And they were all very happy.",
]


def opening(cast):
    rng, hero = cast.rng, cast.hero
    slots = dict(cast.slots, noun=hero.noun, kind=hero.kind, name=hero.name)
    roll = rng.random()
    pool = ONCE if roll < 0.5 else OTHER if roll < 0.75 else NAMED if hero.name else UNNAMED
    lines = [p for p in pool if hero.group != "child" or "the [kind]" not in p]
    text = fill(rng.choice(lines), slots, rng)
    for lines, chance in ((TRAIT_LINES, 0.4), (HOBBY_LINES, 0.55)):
        if rng.random() < chance:
            text += " " + cast.fill(rng.choice(lines))
    return text


class Story:
    """One story: its text and the cast, from which requests for it are made."""

    def __init__(self, rng, skeleton=None, made_up=False):
        names, weights = zip(*FOLK_WEIGHTS)
        group = rng.choices(names, weights)[0]
        fitting = [s for s in SKELETONS if s.sea or group != "sea"]
        self.skeleton = skeleton or rng.choice(fitting)
        self.rng = rng
        kind = name = ""
        self.made_up = made_up
        if made_up and (group == "child" or rng.random() < 0.6):
            name = made_up_word(rng).capitalize()
        elif made_up:
            kind = made_up_word(rng)
        self.cast = Cast(rng, self.skeleton, group, kind, name)
        self.text = self.write()

    def write(self):
        rng, cast = self.rng, self.cast
        gap = "\n\n" if rng.random() < 0.55 else " "
        parts = [p.replace("\n", " ") for p in self.skeleton.body.split("\n\n")]
        parts = [opening(cast) + (gap if rng.random() < 0.5 else " ") + cast.fill(parts[0])] \
            + [cast.fill(p) for p in parts[1:]]
        end = cast.fill(rng.choice(self.skeleton.morals)) if rng.random() < 0.88 else ""
        if rng.random() < 0.3:
            end = (end + " " + rng.choice(CLOSINGS)).strip()
        text = gap.join(parts) + " " + end
        return "\n\n".join(tidy(p) for p in text.split("\n\n"))

    def hero_phrases(self):
        """Ways to name the hero in a request, all of them true for the story."""
        h = self.cast.hero
        phrases = [f"a {h.kind}", f"a {h.kind}", f"a {h.noun}"]
        if self.made_up and h.name:
            phrases = []
        elif h.kind[-1] not in "sxhyfep" and self.rng.random() < 0.1:
            phrases = [f"{h.kind}s", f"my {h.kind}"]
        if h.name:
            phrases += [f"a {h.kind} named {h.name}", f"a {h.noun} called {h.name}",
                        f"a {h.noun} named {h.name}"]
            # A bare name should mean a child, unless it sounds like a pet.
            if h.group == "child" or h.name in w.PETS and not self.made_up:
                phrases += [h.name] * 2
            if h.group != "child":
                phrases += [f"{h.name} the {h.kind}", f"my {h.kind} {h.name}"]
        return phrases

    def topic(self):
        """What a request can ask for; ('', '') asks for any story."""
        rng, cast = self.rng, self.cast
        hero = rng.choice(self.hero_phrases())
        hobby, home = cast.slots["hobby"], cast.slots["home"]
        roll = rng.random()
        if roll < 0.5 or self.made_up:
            return "who", hero
        if roll < 0.55 and f"to {hobby}" in self.text:
            return "plot", f"{hero} who {rng.choice(['loves', 'likes'])} to {hobby}"
        if roll < 0.57 and home in self.text:
            return "plot", f"{hero} {rng.choice(['who lives ', ''])}{home}"
        if roll < 0.66 and self.friend_seen():
            f = cast.friend
            other = f.name if f.name and (f.group == "child" or rng.random() < 0.3) else f"a {f.kind}"
            return "who", f"{hero} and {other}"
        if roll < 0.72:
            if "obj" in self.skeleton.needs and cast.thing in self.text:
                return "who", f"{hero} and {rng.choice(['a', 'the', cast.hero.his])} {cast.thing}"
            return "who", hero
        if roll < 0.8 and "obj" in self.skeleton.needs and cast.thing in self.text:
            return "thing", f"a {rng.choice([cast.thing, cast.slots['obj']])}"
        if roll < 0.9:
            return "plot", f"{hero} {cast.fill(self.skeleton.ask)}"
        if roll < 0.95:
            return "thing", rng.choice(self.skeleton.themes)
        return "", ""

    def friend_seen(self):
        f = self.cast.friend
        return f.kind in self.text or (f.name and f.name in self.text)


def generate(seed):
    """Endless stream of stories."""
    rng = random.Random(seed)
    while True:
        yield Story(rng)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--count", type=int, default=5)
    parser.add_argument("--chats", action="store_true", help="print chats, not plain stories")
    args = parser.parse_args()
    if args.chats:
        from chats import documents
        source = documents(args.seed)
    else:
        source = (s.text for s in generate(args.seed))
    for _, text in zip(range(args.count), source):
        print(text, end="\n\n---\n\n")


if __name__ == "__main__":
    main()
