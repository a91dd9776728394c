"""Pages that only `--dev` has: the components together, and the mails."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_safe

from troth.notices.delivery import SHOWN
from troth.notices.letters import plain
from troth.web.charts import by_day


@require_safe
def index(request: HttpRequest) -> HttpResponse:
    """Name the others."""
    return render(request, "dev/index.html")


@require_safe
def components(request: HttpRequest) -> HttpResponse:
    """Show every component."""
    today = timezone.now().date()
    return render(request, "dev/components.html", {"chart": by_day([(today, 12)])})


@require_safe
def mail(request: HttpRequest) -> HttpResponse:
    """Show the last mails."""
    shown = [{"to": m["To"], "subject": m["Subject"], "at": m["Date"], "text": plain(m)} for m in SHOWN]
    return render(request, "dev/mail.html", {"mails": shown})
