"""`/posts`: what people let others read, their own posts, and saying before posting who will read it."""

import uuid
from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.http import content_disposition_header
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from troth.people import organizations
from troth.people import queries as people
from troth.policy.meaning import Audience
from troth.records import actions, queries
from troth.records.errors import RecordsRefusal
from troth.records.queries import LATEST, PAGE, Feed, Post, Readers
from troth.web.permitting import sentence
from troth.web.posting import Write, named

BOTH = require_http_methods(["GET", "HEAD", "POST"])
#: The duties whose sentences stand wherever somebody posts (P31, P33).
TELLING = ("tell-people-who-sees-a-post", "tell-people-that-copies-outside-stay")


@require_safe
def feed(request: HttpRequest) -> HttpResponse:
    """Show the newest posts of a feed, or those behind one."""
    token = _token(request)
    known = queries.feeds(known=token is not None)
    if not known:
        raise Http404
    chosen = next((each for each in known if each == request.GET.get("of")), known[0])
    before = _uuid(request.GET.get("before", "")) or LATEST
    found = queries.posts(token, chosen, before=before, most=PAGE + 1)
    called = _called(token)
    context = {
        "posts": [_said(each, called) for each in found[:PAGE]],
        "more": found[PAGE - 1].id if len(found) > PAGE else None,
        "later": before != LATEST,
        "feeds": known,
        "feed": chosen,
        "clause": queries.clause(),
        "writes": token is not None and queries.are_kept(),
    }
    return render(request, "posts/feed.html", context)


@require_safe
def one(request: HttpRequest, post: uuid.UUID) -> HttpResponse:
    """Show one post to whoever may read it; to others it is not there."""
    token = _token(request)
    found = _found(token, post)
    mine = found.feed is Feed.MINE
    context = {
        "told": _said(found, _called(token)),
        "mine": mine,
        "edits": mine,
        "deletes": mine and bool(queries.deleted_by()),
        "chooses": mine and found.audience == Audience.CHOSEN,
    }
    return render(request, "posts/post.html", context)


@require_safe
def file(request: HttpRequest, post: uuid.UUID, file: uuid.UUID) -> HttpResponse:
    """Hand a file out to whoever may read its post: to be saved, never to be shown by a browser."""
    token = _token(request)
    found = queries.file(token, _found(token, post), file)
    if found is None:
        raise Http404
    response = HttpResponse(found.content, content_type=found.type)
    response["Content-Disposition"] = content_disposition_header(as_attachment=True, filename=found.name)
    response["Content-Security-Policy"] = "default-src 'none'; sandbox"
    response["X-Content-Type-Options"] = "nosniff"
    return response


@BOTH
def write(request: HttpRequest) -> HttpResponse:
    """Post something, to readers of whom one is told before."""
    token = str(_token(request))
    if not queries.are_kept():
        raise Http404
    form = Write(*_sent(request), token=token)
    if request.method == "POST" and form.is_valid():
        told = form.cleaned_data
        try:
            made = actions.write(
                token=token,
                text=told["text"],
                readers=told["readers"],
                version=told["version"],
                files=told.get("attached", ()),
            )
        except RecordsRefusal as refusal:
            form.refused(refusal)
        else:
            messages.success(request, _("Posted."))
            return redirect("post", post=made)
    return _form(request, form, "posts/write.html")


@BOTH
def edit(request: HttpRequest, post: uuid.UUID) -> HttpResponse:
    """Change what a post of one's own says, its files, and who may read it."""
    token = str(_token(request))
    found = _own(token, post)
    form = Write(*_sent(request), token=token, post=found)
    if request.method == "POST" and form.is_valid():
        told = form.cleaned_data
        try:
            gone = set(request.POST.getlist("remove"))
            actions.edit(
                token=token,
                post=post,
                text=told["text"],
                readers=told["readers"],
                version=told["version"],
                files=told.get("attached", ()),
                without=[each for each in found.files if str(each.id) in gone],
            )
        except RecordsRefusal as refusal:
            form.refused(refusal)
        else:
            messages.success(request, _("Changed. It holds from this moment on."))
            return redirect("post", post=post)
    return _form(request, form, "posts/edit.html")


@BOTH
def delete(request: HttpRequest, post: uuid.UUID) -> HttpResponse:
    """Delete a post of one's own, after saying what goes and what stays."""
    token = str(_token(request))
    found = _own(token, post)
    if not queries.deleted_by():
        raise Http404
    if request.method == "POST":
        try:
            actions.delete(token=token, at=found.at, post=found.id)
        except RecordsRefusal:
            messages.error(request, _("This post is not there any more."))
        else:
            messages.success(request, _("Deleted. Nobody here sees it any more."))
        return redirect(f"{reverse('posts')}?of={Feed.MINE}")
    context = {"told": _said(found, _called(token)), "clause": queries.deleted_by(), "sentences": _sentences()}
    return render(request, "posts/delete.html", context)


def _form(request: HttpRequest, form: Write, template: str) -> HttpResponse:
    profile = people.profile(str(_token(request)))
    name = profile.name if profile else None
    context = {"form": form, "sentences": _sentences(), "name": name, "removes": bool(queries.deleted_by(queries.FILE))}
    return render(request, template, context, status=422 if form.errors else 200)


def _sent(request: HttpRequest) -> tuple[Any, Any]:
    return (request.POST, request.FILES) if request.method == "POST" else (None, None)


def _sentences() -> list[tuple[str, str]]:
    """Return what the policy has people told, each with its clause."""
    return [(clause, said) for clause in TELLING if (said := sentence(clause))]


def _token(request: HttpRequest) -> str | None:
    """Return the viewer's token; None for a visitor, and for whoever has not agreed, whom the gate let in as one."""
    known = request.user.is_authenticated and request.standing.agreed  # type: ignore[attr-defined]
    return request.viewer if known else None  # type: ignore[attr-defined]


def _found(token: str | None, post: uuid.UUID) -> Post:
    found = queries.post(token, post)
    if found is None:
        raise Http404
    return found


def _own(token: str, post: uuid.UUID) -> Post:
    found = _found(token, post)
    if found.feed is not Feed.MINE:
        raise Http404
    return found


def _called(token: str | None) -> dict[uuid.UUID, str]:
    return {each.organization: each.name for each, _own in organizations.mine(token)} if token else {}


def _said(post: Post, called: dict[uuid.UUID, str]) -> dict[str, Any]:
    """Return a post as a page shows it: who may read it is said where the reader knows."""
    audience = Audience(post.audience) if post.audience else queries.AUDIENCES[post.feed]
    if post.feed is Feed.CHOSEN:
        to = _("Shown to you")
    elif audience is Audience.MEMBERS and post.organization not in called:
        to = _("Nobody else: you left that organization")
    else:
        name = called.get(post.organization, "") if post.organization else ""
        to = named(Readers(audience, post.organization, None, name))
    return {"post": post, "mine": post.feed is Feed.MINE, "to": to}


def _uuid(text: str) -> uuid.UUID | None:
    try:
        return uuid.UUID(text)
    except ValueError:
        return None
