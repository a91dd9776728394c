"""How often a network may show keys and tokens that open nothing: counted as wrong passwords are, and by the same."""

from collections.abc import Callable
from functools import wraps
from http import HTTPStatus
from typing import Any

from allauth.core.internal import ratelimit
from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse

from troth.intake.health import PULSE

ACTION = "key_wrong"
#: What the limits' entries are called by.
COUNTED = "troth"


class Wrong:
    """The limit of `settings.KEY_RATE_LIMITS`."""

    def reached(self, address: str) -> int:
        """Return for how many seconds whoever asks from there is to wait; 0 where they are not."""
        return 0 if self._consume(address, dry_run=True) else self._longest()

    def count(self, address: str) -> None:
        """Take note of one more."""
        self._consume(address, dry_run=False)

    def _consume(self, address: str, *, dry_run: bool) -> bool:
        request = HttpRequest()
        request.META["REMOTE_ADDR"] = address
        told = {"app": COUNTED, "action": ACTION, "config": settings.KEY_RATE_LIMITS}
        return ratelimit.consume(request, limit_get=True, dry_run=dry_run, **told) is not None

    def _longest(self) -> int:
        rates = ratelimit.get_rates(app=COUNTED, action=ACTION, config=settings.KEY_RATE_LIMITS)
        return max((int(rate.duration) for rate in rates), default=0)


def guarded(view: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
    """Tell whoever shows one wrong token or secret after the other to wait.

    What is right is answered, whoever asks: tokens live for minutes, so that none could be known from before.
    """
    limit = Wrong()

    @wraps(view)
    def answer(request: HttpRequest, *args: Any, **told: Any) -> HttpResponse:  # noqa: ANN401 - the view's own
        response = view(request, *args, **told)
        if response.status_code != HTTPStatus.UNAUTHORIZED:
            return response
        PULSE.wrong += 1
        address = str(request.META.get("REMOTE_ADDR", ""))
        wait = limit.reached(address)
        limit.count(address)
        if not wait:
            return response
        PULSE.stopped += 1
        refused = JsonResponse({"error": "slow_down"}, status=HTTPStatus.TOO_MANY_REQUESTS)
        refused.headers["Retry-After"] = str(wait)
        return refused

    return answer
