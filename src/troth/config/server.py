"""The server process: one HTTPS port, the lean plane and the pages behind it, and the delivery of mail."""

import logging
import os
import ssl
import threading
from datetime import timedelta
from pathlib import Path
from typing import Any

import uvicorn

HOUR = 3600.0
DIRECTORIES = 5.0


def keep(stopped: threading.Event) -> None:
    """Once an hour forget accounts that nobody agreed to, and sessions that ran out."""
    from django.conf import settings  # noqa: PLC0415 - settings need the environment first
    from django.db import Error, connections  # noqa: PLC0415

    from troth.people.actions import forget_sessions, forget_stale  # noqa: PLC0415
    from troth.people.authorizing import forget_outlasted_tokens  # noqa: PLC0415
    from troth.people.devices import forget_old  # noqa: PLC0415
    from troth.people.remembering import forget_outlasted  # noqa: PLC0415

    while True:
        try:
            forget_stale()
            forget_sessions()
            forget_outlasted()
            forget_old(timedelta(seconds=settings.SESSION_OVERALL))
            forget_outlasted_tokens()
        except Error as problem:
            logging.getLogger(__name__).warning("the house was not kept this hour (%s)", type(problem).__name__)
        finally:
            connections.close_all()
        if stopped.wait(HOUR):
            return


def keep_directories(stopped: threading.Event) -> None:
    """Every few seconds look at the domains whose time has come, and write to whom directories supplied."""
    from django.db import Error, connections  # noqa: PLC0415 - settings need the environment first
    from psycopg import Error as Refused  # noqa: PLC0415
    from psycopg_pool import PoolTimeout  # noqa: PLC0415

    from troth.people import directories, domains  # noqa: PLC0415
    from troth.web.offering import write_offers  # noqa: PLC0415

    while not stopped.wait(DIRECTORIES):
        try:
            domains.check_due()
            write_offers()
            directories.end_unsupplied()
        except (Error, Refused, PoolTimeout) as problem:
            logging.getLogger(__name__).warning("directories were not kept (%s)", type(problem).__name__)
        finally:
            connections.close_all()


def main() -> None:
    """Serve until told to stop. What it needs is in the environment, as the keeper sets it."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "troth.config.settings")
    from django.conf import settings  # noqa: PLC0415 - settings need the environment first

    from troth.config import reticent  # noqa: PLC0415
    from troth.config.asgi import application  # noqa: PLC0415
    from troth.config.protocol import Bounded  # noqa: PLC0415
    from troth.consent import announcing, coming  # noqa: PLC0415
    from troth.notices import returned  # noqa: PLC0415
    from troth.notices.delivery import GATES, WRITERS, Route, run  # noqa: PLC0415
    from troth.people import correcting  # noqa: PLC0415
    from troth.people.organizing import invitation  # noqa: PLC0415

    reticent.install()
    WRITERS.update(correcting.WRITERS | coming.WRITERS | announcing.WRITERS, invitation=invitation)
    GATES.update(announcing.GATES)
    GATES.update(coming.GATES)
    returned.STOPPERS.append(announcing.stop)
    stopped = threading.Event()
    route = Route(settings.MAIL, settings.DEFAULT_FROM_EMAIL, keep=settings.DEV, returns=bool(settings.RETURNS))
    lanes: tuple[dict[str, Any], ...] = ({}, {"many": True, "rate": settings.MAIL_RATE})
    posts = [threading.Thread(target=run, args=(route, stopped), kwargs=lane, daemon=True) for lane in lanes]
    if settings.RETURNS:
        told = (Path(settings.RETURNS), stopped)
        posts.append(threading.Thread(target=returned.run, args=told, name="returned", daemon=True))
    for post in posts:
        post.start()
    threading.Thread(target=keep, args=(stopped,), name="house", daemon=True).start()
    threading.Thread(target=keep_directories, args=(stopped,), name="directories", daemon=True).start()
    config = uvicorn.Config(
        application,
        host=os.environ.get("TROTH_HOST", "127.0.0.1"),
        port=int(os.environ.get("TROTH_PORT", "8443")),
        ssl_certfile=os.environ["TROTH_CERTIFICATE"],
        ssl_keyfile=os.environ["TROTH_KEY"],
        ssl_version=ssl.PROTOCOL_TLS_SERVER,
        # With TLS 1.2 only what keeps past talks secret when the key is lost (RFC 9325, section 4.2).
        ssl_ciphers="ECDHE+AESGCM:ECDHE+CHACHA20",
        loop="uvloop",
        http=Bounded,
        ws="none",
        lifespan="on",
        access_log=False,
        log_level="warning",
        log_config=None,  # its own would write errors with their words
        server_header=False,
        date_header=True,
        proxy_headers=False,
        timeout_graceful_shutdown=8,
        timeout_keep_alive=20,
    )
    config.load()
    if config.ssl is not None:
        config.ssl.minimum_version = ssl.TLSVersion.TLSv1_2
    uvicorn.Server(config).run()
    stopped.set()
    for post in posts:
        post.join(3)


if __name__ == "__main__":
    main()
