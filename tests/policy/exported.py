"""The policies that the standards are tried on: those that come with troth, and one that says everything there is."""

from dataclasses import replace
from pathlib import Path

from hypothesis import strategies as st

from troth.policy import parse
from troth.policy.meaning import Audience, Policy

PROJECT = Path(__file__).parents[2]
DOCUMENTS = PROJECT / "docs" / "standards"

EVERYTHING = """policy "Every \\ Thing" version 7 effective 2027-02-28
operator "=Harbor 'Software', Inc. é" contact Privacy@Harbor.example
category person.name, person.email, person.phone identifying
category person.shoe
category health.condition sensitive
category access.ip, access.url, access.time
category location.gps identifying
category device.identifier identifying
category post.text, post.picture
call person.shoe "your shoe size" in de "deine Schuhgröße" in pt-BR "seu número"
purpose provide "provide \\n the service" in de "den Dienst erbringen" by agreement
purpose announce "=1+1, and tell you" by consent
purpose understand "@understand" by legitimate interest
purpose retain "-keep what the law demands" by legal duty
purpose odd "something of its own" by consent
collect person.name, person.email on sign-up
    for provide while the account exists then 30 days
    for announce while consented
    for retain 3650 days
collect person.phone on sign-up
    for provide while the account exists
collect person.shoe, health.condition on transaction, upload
    for odd while consented
collect access.ip, access.url, access.time on access
    for understand 30 days as network
    for retain 1 days
collect access.ip, access.url on visit
    for understand 7 days as counted
collect device.identifier on sign-in
    for understand 90 days as hashed
collect location.gps on use of location
    for odd 14 days as city
collect post.text, post.picture on post
    for provide while the account exists
coarsen access.time to day after 20 days
store "token" as session cookie for provide
store "language" as persistent cookie for provide 365 days
store "draft-*" as browser storage for odd 30 days
show person.name, access.* to the person
show person.name to administrators of the person's organization
let people review, correct, export person.* within 30 days
let people delete, erase person.*, post.* within 30 days unless a legal duty keeps it
let people restrict access.*
let people post post.text, post.picture to chosen people, the public
share person.email with "Carrier; GmbH & <Co>" for announce
share person.phone with "+Phone" for retain
correlate access.ip with device.identifier
never correlate location.gps with person.email
require agreement before use
keep one agreement for applications, website and storage
keep agreements when the owner changes
keep the agreement over what remains
keep names the same everywhere
keep anonymous identifiers apart from sensitive data
encrypt transmission
never sell anything
refuse what is not declared in metadata
stay silent when people ask
tie people to organizations and accounts later
agree permissions with people
leave permissions to people
open identifying data only with permission
verify permissions before use
allow changes to this policy
ask before any new purpose
tell people that no transmission is perfectly secure
notify by e-mail, letter when rights are reduced
ask again when these change: purposes, recipients
note "Commentary." in de "Anmerkung."
"""
EVERYTHING = EVERYTHING.replace("e-mail, letter", "e-mail")
SOURCES = {path.stem: path.read_text(encoding="utf-8") for path in sorted((PROJECT / "policies").glob("*.troth"))}
POLICIES = {name: parse.read(source, name) for name, source in {**SOURCES, "everything": EVERYTHING}.items()}
WHOLE = POLICIES["everything"]
DEFAULT = POLICIES["hosted-solutions"]

#: Any text at all: more than the language lets through, so that no writer leans on its checks.
texts = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=40)


@st.composite
def policies(draw: st.DrawFn) -> Policy:
    """Draw the whole policy with other texts wherever an operator writes freely."""
    return replace(
        WHOLE,
        name=draw(texts),
        operator=draw(texts),
        contact=f"{draw(texts)}@{draw(texts)}.example",
        purposes=tuple(
            replace(each, sentence=draw(texts), translations=(("de", draw(texts)), ("pt-BR", draw(texts))))
            for each in WHOLE.purposes
        ),
        shares=tuple(replace(each, recipient=draw(texts)) for each in WHOLE.shares),
        stored=tuple(replace(each, key=draw(texts)) for each in WHOLE.stored),
        notes=tuple(replace(each, texts=(("", draw(texts)),)) for each in WHOLE.notes),
    )


def without_purpose(policy: Policy) -> Policy:
    """Forget the first purpose in all that is said of it: what an exporter would do that dropped one."""
    gone = policy.purposes[0].name
    return replace(
        policy,
        purposes=policy.purposes[1:],
        collections=tuple(
            replace(each, uses=tuple(use for use in each.uses if use.purpose != gone)) for each in policy.collections
        ),
        shares=tuple(each for each in policy.shares if each.purpose != gone),
        stored=tuple(each for each in policy.stored if each.purpose != gone),
    )


def without_category(policy: Policy) -> Policy:
    """Forget the first category in all that is collected."""
    gone = policy.categories[0].name
    return replace(
        policy,
        categories=policy.categories[1:],
        collections=tuple(
            replace(each, categories=tuple(c for c in each.categories if c != gone)) for each in policy.collections
        ),
    )


def without_window(policy: Policy) -> Policy:
    """Keep what the first use of the first collection uses for as long as the second says."""
    first, *rest = policy.collections
    used, *others = first.uses
    return replace(policy, collections=(replace(first, uses=(replace(used, window=others[0].window), *others)), *rest))


def without_recipient(policy: Policy) -> Policy:
    """Forget who gets something."""
    return replace(policy, shares=(), sights=(), postings=())


#: What an exporter could forget, each of which a check of its facts must find.
FORGETTING = {
    "purpose": without_purpose,
    "category": without_category,
    "window": without_window,
    "recipient": without_recipient,
}


def collected(policy: Policy) -> set[str]:
    return {category for collection in policy.collections for category in collection.categories}


def named_recipients(policy: Policy) -> set[str]:
    shown = {sight.audience for sight in policy.sights} | {a for post in policy.postings for a in post.audiences}
    return {share.recipient for share in policy.shares} | {str(each) for each in shown - {Audience.PERSON}}
