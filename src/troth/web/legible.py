"""What a request holds that no text of the database can."""

from django.http import HttpRequest


def holds_nul(request: HttpRequest) -> bool:
    """Whether a query or a form holds a NUL, in a value or in the name of one."""
    told = [request.GET, request.POST]
    texts = (text for sent in told for name, values in sent.lists() for text in (name, *values))
    return any("\0" in str(text) for text in texts)
