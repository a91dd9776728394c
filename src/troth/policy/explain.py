"""The policy in plain sentences, written from its meaning: what pages, switches and cards say."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby
from textwrap import wrap

from troth.policy.meaning import (
    Audience,
    Change,
    Collection,
    Duty,
    Occasion,
    Policy,
    Precision,
    Storage,
    Stored,
    Use,
    Window,
    WindowKind,
)
from troth.policy.voice import Voice, text_in, voice

#: Held by the sign-in service, which checks them and shows them to no purpose.
CREDENTIALS = frozenset({"person.password", "person.session"})
#: In which section a duty, or something that is told, stands.
PLACES = {
    "agreement": ("one-agreement", "agreement", "remains"),
    "why": ("silence", "tell that purposes end here"),
    "what": ("ties", "apart", "refuse-undeclared", "drop-undeclared", "tell that logs may hold any of it"),
    "device": ("tell that applications may hold copies on their device", "tell what refusing cookies costs"),
    "use": ("names-everywhere", "authorised", "own-permissions", "agreed-permissions"),
    "others": ("opening", "share-nothing", "never-sell"),
    "posting": ("tell who sees a post", "tell that copies outside stay"),
    "security": ("transmission", "tell that no transmission is perfectly secure"),
    "changes": ("changes-allowed", "notify", "ask-again", "new-purpose", "owner"),
}


@dataclass(frozen=True, slots=True)
class Sentence:
    """One sentence, the clause it says, and the promises that the clause keeps; `parts` lays it out as lists.

    `commentary` is the operator's own and binds nobody.
    """

    clause: str
    text: str
    promises: tuple[str, ...]
    parts: tuple[tuple[str, tuple[str, ...]], ...] = ()
    commentary: bool = False


@dataclass(frozen=True, slots=True)
class Section:
    """A part of the page; `key` is its anchor."""

    key: str
    title: str
    sentences: tuple[Sentence, ...]


@dataclass(frozen=True, slots=True)
class TableRow:
    """One line of the table: what and when, then each use of it as why and how long, and who sees it."""

    what: str
    when: str
    uses: tuple[tuple[str, str], ...]
    who_sees: str
    clause: str


def sections(policy: Policy, language: str = "en") -> tuple[Section, ...]:
    """Return the whole policy in the order in which people look for things; empty sections are left out."""
    said = _Saying(policy, voice(policy, language))
    made = {
        "agreement": [said.head(), *said.duties("agreement"), said.contact()],
        "why": [*said.purposes(), *said.honoured(), *said.duties("why")],
        "what": [*said.collections(), *said.coarsenings(), *said.correlations(), *said.duties("what")],
        "device": [*said.stored(), *said.duties("device")],
        "use": [*said.own_sights(), *said.rights(), *said.duties("use")],
        "others": [*said.other_sights(), *said.shares(), *said.duties("others")],
        "posting": [*said.postings(), *said.duties("posting")],
        "security": list(said.duties("security")),
        "changes": list(said.duties("changes")),
        "commentary": list(said.notes()),
    }
    return tuple(
        Section(key, said.voice.say("sections", key), tuple(sentences)) for key, sentences in made.items() if sentences
    )


def purpose_sentence(policy: Policy, name: str, language: str = "en") -> str:
    """Say what a purpose does and whether one can say no. Raises KeyError for an unknown purpose."""
    speaking, purpose = voice(policy, language), policy.purpose(name)
    basis = speaking.say("bases", purpose.basis)
    return speaking.say("sentences", "purpose_says", purpose=speaking.purpose(purpose), basis=basis)


def purpose_uses(policy: Policy, name: str, language: str = "en") -> tuple[str, ...]:
    """Say in sentences what a purpose uses, from when and for how long."""
    speaking = voice(policy, language)
    return tuple(
        speaking.say(
            "sentences",
            "use_line",
            moment=capital(speaking.say("occasions", collection.occasion)),
            what=speaking.listed(_known(speaking, collection, use)),
            window=speaking.window(use.window),
        )
        for collection in policy.collections
        for use in collection.uses
        if use.purpose == name
    )


def field_sentence(policy: Policy, category: str, occasion: Occasion, language: str = "en") -> str:
    """Say why a form asks for something and how long it is kept; empty when the policy does not collect it."""
    said = _Saying(policy, voice(policy, language))
    uses = [
        said.use(use)
        for collection in policy.collections
        if collection.occasion is occasion and category in collection.categories
        for use in collection.uses
    ]
    return said.voice.say("sentences", "field", uses=said.voice.clauses(uses)) if uses else ""


def clause_sentence(policy: Policy, clause: str, language: str = "en") -> str:
    """Say one clause, as the whole policy says it; empty where no sentence is that clause's."""
    said = (sentence for section in sections(policy, language) for sentence in section.sentences)
    return next((sentence.text for sentence in said if sentence.clause == clause), "")


def table(policy: Policy, language: str = "en") -> tuple[TableRow, ...]:
    """Return what is collected, why, for how long, and who sees it."""
    speaking = voice(policy, language)
    rows = []
    for clause, collections in _by_clause(policy):
        collection = collections[0]
        who = _who_sees(policy, speaking, collection)
        when = speaking.listed(speaking.say("occasions", each.occasion) for each in collections)
        whats = [capital(speaking.listed(_known(speaking, collection, use))) for use in collection.uses]
        for what in dict.fromkeys(whats):
            uses = tuple(
                (speaking.purpose(policy.purpose(use.purpose)), speaking.window(use.window))
                for use, known in zip(collection.uses, whats, strict=True)
                if known == what
            )
            rows.append(TableRow(what, when, uses, who, clause))
    return tuple(rows)


def capital(text: str) -> str:
    """Begin with a capital."""
    return text[:1].upper() + text[1:]


def _by_clause(policy: Policy) -> list[tuple[str, list[Collection]]]:
    return [(name, list(each)) for name, each in groupby(policy.collections, key=lambda c: c.clause.name)]


def _known(speaking: Voice, collection: Collection, use: Use) -> list[str]:
    return [speaking.category(category, use.precision) for category in collection.categories]


def _who_sees(policy: Policy, speaking: Voice, collection: Collection) -> str:
    own = {c for sight in policy.sights if sight.audience is Audience.PERSON for c in sight.categories}
    hidden = [category for category in collection.categories if category not in own]
    if CREDENTIALS.issuperset(collection.categories) and hidden:
        return speaking.say("table", "credentials")
    key = "purposes" if len(hidden) == len(collection.categories) else "except" if hidden else "you"
    who = speaking.say("table", key, what=speaking.listed(map(speaking.category, hidden)))
    others = dict.fromkeys(
        speaking.say("audiences", sight.audience)
        for sight in policy.sights
        if sight.audience is not Audience.PERSON and set(sight.categories).intersection(collection.categories)
    )
    return who + (speaking.say("table", "others", audiences=speaking.listed(others)) if others else "")


class _Saying:
    """The sentences of one policy in one voice, a method for each kind of clause."""

    def __init__(self, policy: Policy, speaking: Voice) -> None:
        self.policy, self.voice = policy, speaking

    def head(self) -> Sentence:
        policy = self.policy
        day = self.voice.date(policy.effective)
        text = self.voice.say("duties", "policy", version=policy.version, operator=policy.operator, day=day)
        return Sentence("policy", text, ())

    def contact(self) -> Sentence:
        return Sentence("operator", self.voice.say("duties", "contact", contact=self.policy.contact), ())

    def duties(self, section: str) -> Iterator[Sentence]:
        for place in PLACES[section]:
            for duty in self.policy.duties:
                if place in (duty.name, " ".join((duty.name, *duty.details))):
                    yield Sentence(duty.clause.name, self._duty(duty), duty.clause.promises)

    def _duty(self, duty: Duty) -> str:
        say = self.voice.say
        if duty.name == "tell":
            return say("tell", duty.details[0])
        channel = say("channels", duty.details[0]) if duty.name == "notify" else ""
        changes = [say("changes", change) for change in Change if change in duty.details]
        if duty.name == "new-purpose":
            return self.voice.new_purpose(duty.details)
        return say(
            "duties", duty.name, contact=self.policy.contact, channel=channel, changes=self.voice.listed(changes)
        )

    def purposes(self) -> Iterator[Sentence]:
        for purpose in self.policy.purposes:
            basis = self.voice.say("bases", purpose.basis)
            text = self.voice.say("sentences", "purpose", purpose=self.voice.purpose(purpose), basis=basis)
            yield Sentence(purpose.clause.name, text, purpose.clause.promises)

    def honoured(self) -> Iterator[Sentence]:
        for each in self.policy.honoured:
            known = map(self.policy.purpose, each.purposes)
            aims = [self.voice.say("sentences", "aim", purpose=self.voice.purpose(purpose)) for purpose in known]
            text = self.voice.say("sentences", "honour", aims=self.voice.listed(aims))
            yield Sentence(each.clause.name, text, each.clause.promises)

    def use(self, use: Use) -> str:
        purpose = self.voice.purpose(self.policy.purpose(use.purpose))
        return self.voice.say("sentences", "use", purpose=purpose, window=self.voice.window(use.window))

    def collections(self) -> Iterator[Sentence]:
        for name, collections in _by_clause(self.policy):
            collection = collections[0]
            precision = collection.uses[0].precision
            alike = all(use.precision is precision for use in collection.uses)
            uses = [self.use(use) + ("" if alike else self._coarsened(collection, use)) for use in collection.uses]
            exactly = precision if alike else Precision.AS_IS
            what = [self._of(collection, self.voice.category(c, exactly)) for c in collection.categories]
            moments = capital(self.voice.listed(self.voice.say("occasions", c.occasion) for c in collections))
            filled = {"what": self.voice.listed(what), "uses": self.voice.clauses(uses)}
            text = self.voice.say("sentences", "collect", moments=moments, **filled)
            lead = self.voice.say("sentences", "collect_lead", moments=moments)
            parts = ((lead, tuple(what)), (self.voice.say("sentences", "uses_lead"), tuple(uses)))
            yield Sentence(name, text, collection.clause.promises, parts)

    def _of(self, collection: Collection, words: str) -> str:
        return self.voice.theirs(words) if collection.occasion is Occasion.VISIT else words

    def _coarsened(self, collection: Collection, use: Use) -> str:
        """Say what this use knows less exactly than the other uses of the same collection."""
        coarse = [c for c in collection.categories if use.precision is not Precision.AS_IS and use.precision.fits(c)]
        words = self._of(collection, self.voice.listed(self.voice.category(c, use.precision) for c in coarse))
        return self.voice.say("sentences", "knowing", what=words) if coarse else ""

    def coarsenings(self) -> Iterator[Sentence]:
        for each in self.policy.coarsenings:
            what = self.voice.listed(map(self.voice.category, each.categories))
            coarse = self.voice.listed(self.voice.category(c, each.precision) for c in each.categories)
            days = capital(self.voice.days(each.days))
            text = self.voice.say("sentences", "coarsen", days=days, what=what, coarse=coarse)
            yield Sentence(each.clause.name, text, each.clause.promises)

    def correlations(self) -> Iterator[Sentence]:
        for each in self.policy.correlations:
            left, right = (self.voice.listed(map(self.voice.category, side)) for side in (each.left, each.right))
            key = "correlate" if each.allowed else "never_correlate"
            text = capital(self.voice.say("sentences", key, left=left, right=right))
            yield Sentence(each.clause.name, text, each.clause.promises)

    def stored(self) -> Iterator[Sentence]:
        for each in self.policy.stored:
            text = self.voice.say(
                "sentences",
                "store",
                key=each.key,
                storage=self.voice.say("storage", each.storage),
                window=self._lasting(each),
                purpose=self.voice.purpose(self.policy.purpose(each.purpose)),
            )
            yield Sentence(each.clause.name, text, each.clause.promises)

    def _lasting(self, stored: Stored) -> str:
        if stored.storage is Storage.SESSION_COOKIE or stored.days is None:
            return self.voice.say("windows", "until_sign_out")
        return self.voice.window(Window(WindowKind.DAYS, stored.days))

    def own_sights(self) -> Iterator[Sentence]:
        for sight in self.policy.sights:
            if sight.audience is Audience.PERSON:
                what = self.voice.listed(map(self.voice.category, sight.categories))
                parts = ((self.voice.say("sentences", "see_lead"), self._grouped(sight.categories)),)
                text = self.voice.say("sentences", "see", what=what)
                yield Sentence(sight.clause.name, text, sight.clause.promises, parts)

    def other_sights(self) -> Iterator[Sentence]:
        for sight in self.policy.sights:
            if sight.audience is not Audience.PERSON:
                what = self.voice.listed(map(self.voice.category, sight.categories))
                audience = self.voice.say("audiences", sight.audience)
                text = capital(self.voice.say("sentences", "seen", audience=audience, what=what))
                yield Sentence(sight.clause.name, text, sight.clause.promises)

    def rights(self) -> Iterator[Sentence]:
        for right in self.policy.rights:
            verbs = self.voice.listed(self.voice.say("verbs", verb) for verb in right.verbs)
            condition = self.voice.say("conditions", right.condition) if right.condition else ""
            deadline = (
                "" if right.days is None else self.voice.say("sentences", "deadline", days=self.voice.days(right.days))
            )
            what = self.voice.listed(map(self.voice.category, right.categories))
            text = self.voice.say("sentences", "can", verbs=verbs, what=what, condition=condition, deadline=deadline)
            groups = self._grouped(right.categories)
            lead = self.voice.say("sentences", "can_lead", verbs=verbs)
            rest = f"{condition.lstrip(', ')}{'.' if condition else ''}{deadline}".strip()
            parts = ((lead, groups), *(((capital(rest), ()),) if rest else ())) if len(groups) > 1 else ()
            yield Sentence(right.clause.name, text, right.clause.promises, parts)

    def _grouped(self, categories: Iterable[str]) -> tuple[str, ...]:
        """Say many categories as one line for each thing that they are about."""
        groups: dict[str, list[str]] = {}
        for category in categories:
            groups.setdefault(category.split(".")[0], []).append(self.voice.category(category))
        return tuple(f"{self.voice.thing(thing)}: {self.voice.listed(words)}" for thing, words in groups.items())

    def shares(self) -> Iterator[Sentence]:
        for share in self.policy.shares:
            what = self.voice.listed(map(self.voice.category, share.categories))
            purpose = self.voice.purpose(self.policy.purpose(share.purpose))
            text = self.voice.say("sentences", "share", recipient=share.recipient, what=what, purpose=purpose)
            yield Sentence(share.clause.name, text, share.clause.promises)

    def postings(self) -> Iterator[Sentence]:
        for posting in self.policy.postings:
            what = self.voice.listed(map(self.voice.category, posting.categories))
            audiences = self.voice.listed(self.voice.say("audiences", audience) for audience in posting.audiences)
            text = self.voice.say("sentences", "post", what=what, audiences=audiences)
            yield Sentence(posting.clause.name, text, posting.clause.promises)

    def notes(self) -> Iterator[Sentence]:
        for note in self.policy.notes:
            text = text_in(note.texts, self.voice.language)
            yield Sentence(note.clause.name, text, note.clause.promises, commentary=True)


def as_text(policy: Policy, language: str = "en", width: int = 100) -> str:
    """Return the whole policy as plain text, for a terminal or a mail."""
    speaking = voice(policy, language)
    lines = [f"{policy.name}", "=" * len(policy.name)]
    for section in sections(policy, language):
        lines += ["", section.title, "-" * len(section.title), ""]
        for sentence in section.sentences:
            mark = f"[{speaking.say('sections', 'commentary')}] " if sentence.commentary else ""
            cited = f" [{', '.join(sentence.promises)}]" if sentence.promises else ""
            lines += [*wrap(f"{mark}{sentence.text}{cited}", width), ""]
    return "\n".join(lines).rstrip() + "\n"


def minutes(policy: Policy, language: str = "en") -> int:
    """Return how many minutes reading the policy takes, at two hundred words a minute."""
    words = sum(len(s.text.split()) for section in sections(policy, language) for s in section.sentences)
    return max(1, round(words / 200))
