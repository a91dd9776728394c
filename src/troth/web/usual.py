"""Pages that fit whoever looks: what they open most comes first, as long as they permit it."""

from typing import Any

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from troth.consent import identifiers
from troth.intake import usual
from troth.web import known

#: What may come first, by its path.
PLACES: dict[str, Promise | str] = {
    "/me/timeline": _("What was collected about you"),
    "/me/accesses": _("Your accesses"),
    "/me/sent": _("What applications told of you"),
    "/me/profile": _("Your profile"),
    "/me/devices": _("Your devices"),
    "/me/security": _("Security"),
    "/me/permissions": _("Your permissions"),
    "/me/notices": _("Mails to you"),
    "/organizations": _("Organizations"),
    "/posts": _("Posts"),
    "/policy": _("Policy"),
    "/policy/versions": _("Versions of the policy"),
    "/policy/promises": _("Forty promises"),
    "/terms": _("Terms"),
}


def first(request: Any) -> list[tuple[str, Promise | str]]:  # noqa: ANN401 - on which it is known who asks
    """Return what whoever looks opens most: the path, and what it is called."""
    if request.user.is_authenticated:
        if not usual.permitted(request.standing.uses):  # whoever says no is not fitted by what they tied either
            return []
        subjects = [request.user.subject, *(each.identifier for each in identifiers.tied(request.viewer))]
    elif request.identifier is not None and known.days():
        subjects = [request.identifier.subject]
    else:
        return []
    return [(path, PLACES[path]) for path in usual.pages(subjects, PLACES)]
