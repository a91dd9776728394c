"""The policy in force in the words of standards, for anybody's program to read."""

from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_safe

from troth.database import published
from troth.policy.standards import dpv, labels


@require_safe
def json_ld(_request: HttpRequest) -> HttpResponse:
    """Answer with the Data Privacy Vocabulary as JSON-LD."""
    return HttpResponse(dpv.json_ld(published.current().policy), content_type="application/ld+json")


@require_safe
def turtle(_request: HttpRequest) -> HttpResponse:
    """Answer with the Data Privacy Vocabulary as Turtle."""
    return HttpResponse(dpv.turtle(published.current().policy), content_type="text/turtle; charset=utf-8")


@require_safe
def labels_json(_request: HttpRequest) -> HttpResponse:
    """Answer with the privacy labels that stores ask for."""
    return HttpResponse(labels.as_json(published.current().policy), content_type="application/json")
