"""How each audience looks: the login role it is, and which rows of a table that role reaches.

A viewer rule stands bare and alone for its role, so that the planner can make it an index condition; another audience
is another role, never another branch of the same rule.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from troth.policy.catalog import Table
from troth.policy.meaning import Audience

OPEN = "ended_at IS NULL"
SUPPLIED = "organization = troth.directory_organization()"
SHARED = "organization = ANY (troth.viewer_organizations())"
ADMINISTERED = "organization = ANY (troth.administered_organizations())"
#: Administrators see what the look that they are at was written down for: an organization, or one person in it.
LOOKED = (
    "organization = troth.looked_organization() AND subject >= troth.looked_first() AND subject <= troth.looked_last()"
)
LOOKED_PERSON = "subject = troth.looked_member()"
SHARED_PERSON = "troth.accompanies(subject)"
SUPPLIED_PERSON = "troth.supplies(subject)"
#: Of a table in which people choose who reads what, each role reads what was posted to its audience.
POSTED = "audience = {audience}"
#: Of whoever posts, those are shown to an audience who posted something to it that the viewer may read.
AUTHORED = "troth.authored(subject, {audience})"


@dataclass(frozen=True, slots=True)
class Viewing:
    """An audience's role, the rows that it reaches, and the columns that a table must carry so that it can say whose.

    `proven`: whether a request token says who is looking, without whom there is nothing to see. `by_area`: whether the
    rows depend on the table's area, `{area}` in them. `through`: which rows of a directed table that says something
    once of each person, and so carries no organization.
    """

    role: str
    rows: str
    carries: tuple[str, ...] = ()
    proven: bool = True
    by_area: bool = False
    through: str = ""

    def reaches(self, table: Table) -> str:
        """Return which rows of a table the role reaches; what spans several areas no look opens."""
        if self.through and of_persons(table):
            return self.through
        return " AND ".join(self.rows.format(area=area) for area in areas(table)) if self.by_area else self.rows

    def sees(self, table: Table, shown: frozenset[str]) -> bool:
        """Return whether rows of a table can be shown to this audience, of whom the categories `shown` may be known.

        What tells rows apart is shown with them: a key that says more than the policy shows keeps the table away.
        """
        names = {column.name for column in table.columns}
        known = {"subject", *self.carries}
        if self.through and of_persons(table):
            return table.stamped
        apart = (table.column(name).category for name in table.key if name not in known)
        return table.stamped and names.issuperset(known) and all(c is None or c in shown for c in apart)

    def told_apart(self, table: Table) -> tuple[str, ...]:
        """Return the columns that tell whose a shown row is."""
        carried = () if self.through and of_persons(table) else self.carries
        return tuple(dict.fromkeys(("subject", *carried, *table.key)))


def of_persons(table: Table) -> bool:
    """Whether a table that is an organization's to see says something once of each person."""
    return table.directed and table.key == ("subject",)


VIEWINGS: Mapping[Audience, Viewing] = {
    Audience.ADMINISTRATORS: Viewing("administrator", LOOKED, ("organization",), through=LOOKED_PERSON),
    Audience.MEMBERS: Viewing("member", SHARED, ("organization",), through=SHARED_PERSON),
    Audience.SIGNED_IN: Viewing("reader", "troth.viewer() IS NOT NULL"),
    Audience.PUBLIC: Viewing("passer", "", proven=False),
    Audience.STAFF: Viewing("staff", "subject = troth.looking('{area}')", by_area=True),
}
#: What a person opens to the operator's staff as one: the first part of a category names it, if nothing here does.
AREAS: Mapping[str, str] = {"person": "profile", "agreement": "agreements", "choice": "agreements"}
STAFF = "staff"


def areas(table: Table) -> tuple[str, ...]:
    """Return the areas that a table's categories belong to."""
    first = {column.category.partition(".")[0] for column in table.columns if column.category}
    return tuple(sorted({AREAS.get(each, each) for each in first}))


#: How somebody sees their own row as an administrator does: a role that inherits whatever `administrator` has.
MIRROR = "mirror"
MIRRORED = "administrator"
#: Whom people chose themselves: no rule of rows says what they see, as each grant names categories (`granting`).
CHOSEN = "chosen"
#: An organization's directory, which a token of its own proves: it sees what administrators do, and what it supplied.
DIRECTORY = "directory"
ROLES = (*(viewing.role for viewing in VIEWINGS.values()), MIRROR, CHOSEN, DIRECTORY)
#: Roles that look, and whom a request token proves.
PROVEN = ("self", *(viewing.role for viewing in VIEWINGS.values() if viewing.proven), MIRROR, CHOSEN)
