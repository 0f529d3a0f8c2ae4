"""Serving the app over HTTP until somebody stops it, and saying where, as whom and for whom."""

import asyncio
import math
import os
import pwd
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Final

import sqlalchemy as sa
import uvicorn
from fastapi import FastAPI

from gis_service.access import SYSTEM
from gis_service.access.actor import is_made_up
from gis_service.access.links import make_first_link
from gis_service.api.app import create_app
from gis_service.api.guard import is_loopback
from gis_service.api.shared_port import SharedPort
from gis_service.certificates import (
    WARN_DAYS,
    Certificate,
    fingerprint,
    load_certificate,
    page_address,
)
from gis_service.errors import GisError
from gis_service.grids.compiling import compile_all
from gis_service.incidents import arrival
from gis_service.ingest.sandbox import client as apart
from gis_service.memory import keep_few_arenas, release_free
from gis_service.messages import Language, text
from gis_service.settings import access_settings, server_settings
from gis_service.store.engine import Store

_TIDY_EVERY_S: Final = 10.0
_QUIET: Final = 0.5
"""Seconds of processor time between two looks: less is quiet."""
_WORK_S: Final = 1.0
"""So much work leaves something to be given back."""


class Server(uvicorn.Server):
    """
    A server that speaks TLS beside HTTP, and ends its streams first: it would wait for them.

    Parameters
    ----------
    config
        Of uvicorn.
    certificate
        What it speaks TLS with; None speaks HTTP alone.
    """

    def __init__(self, config: uvicorn.Config, certificate: Certificate | None = None) -> None:
        super().__init__(config)
        self._certificate = certificate

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to take connections."""
        if self._certificate is None:
            await super().startup(sockets)
            return
        await super().startup([])
        context = self._certificate.context
        self.servers = [
            SharedPort(listener, context, self._make_protocol)  # type: ignore[misc]
            for listener in sockets or []
        ]

    def _make_protocol(self) -> asyncio.Protocol:
        protocol: asyncio.Protocol = self.config.http_protocol_class(  # type: ignore[call-arg]
            config=self.config, server_state=self.server_state, app_state=self.lifespan.state
        )
        return protocol

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """End the streams, then everything else."""
        live = getattr(getattr(self.config.app, "state", None), "live", None)
        if live is not None:
            await live.close()
        await super().shutdown(sockets)


def warm_up(app: FastAPI) -> threading.Thread:
    """Make what the first question needs: readers, grids, plans, roads."""

    def make() -> None:
        apart.start_server()
        _run_apart("gis_service.grids.compiling")
        compile_all()
        # An empty store has no grids; a store that is gone is told to whoever asks first.
        with suppress(GisError, sa.exc.SQLAlchemyError):
            app.state.answer_service.current(SYSTEM, "base")
            with app.state.store.transaction(SYSTEM) as connection:
                app.state.drafts.prepare(connection, "base")
            release_free()  # what comes next would lie on top of what is free now
            _run_apart("gis_service.coverage.compiling")
            with app.state.store.transaction(SYSTEM) as connection:
                arrival.prepare_routers(app.state.snapshot, connection)
            _run_apart("gis_service.boundaries.proposals.compiling")
        release_free()

    thread = threading.Thread(target=make, name="warm-up", daemon=True)
    thread.start()
    return thread


def _run_apart(module: str) -> None:
    """Compile in a process that ends: its results stay on disk, and not 80 MB of it in memory."""
    command = [sys.executable, "-P", "-m", module]
    subprocess.run(command, stdin=subprocess.DEVNULL, check=False)  # if not, whoever needs it does


def keep_tidy(app: FastAPI) -> threading.Thread:
    """Let go of what nobody has asked for lately, and give free memory back when it is quiet."""

    def tidy() -> None:
        since = before = time.process_time()
        while True:
            time.sleep(_TIDY_EVERY_S)
            app.state.snapshot.forget_unused()
            app.state.drafts.forget_unused()
            now = time.process_time()
            if now - before < _QUIET and now - since > _WORK_S:  # else somebody would wait for it
                release_free()
                since = now
            before = now

    thread = threading.Thread(target=tidy, name="tidy", daemon=True)
    thread.start()
    return thread


def make_server(app: FastAPI, certificate: Certificate | None = None) -> Server:
    """Make the server; forwarded headers count from the proxy that a setting names."""
    proxy = server_settings().trusted_proxy
    return Server(
        uvicorn.Config(
            app,
            log_level="warning",
            access_log=False,
            server_header=False,
            proxy_headers=bool(proxy),
            forwarded_allow_ips=proxy,
            timeout_graceful_shutdown=math.ceil(server_settings().shutdown_s),
        ),
        certificate,
    )


def _say_who_signs_in(store: Store, address: str, language: Language) -> str:
    """Tell who may sign in; where nobody can yet, by which link the first administrator is made."""
    with store.transaction(SYSTEM) as connection:
        if is_made_up(connection):
            return text("cli.anybody_picks", language)
        token = make_first_link(connection)
    if token is None:
        return text("cli.sign_in_at", language, address=f"{address}/sign-in")
    link = f"{address}/sign-in#{token}"
    hours = f"{access_settings().link_hours:g}"
    return text("cli.sign_in_link", language, link=link, hours=hours)


def serve_forever(
    store: Store, listener: socket.socket, say: Callable[[str], None], language: Language
) -> None:
    """
    Serve until a signal ends it.

    Parameters
    ----------
    store
        The store.
    listener
        Bound to where the page will be.
    say
        Told where the page is, who may sign in and as whom it runs, line by line.
    language
        In which it is told.
    """
    keep_few_arenas()
    host, port = listener.getsockname()[:2]
    certificate = load_certificate()
    app = create_app(store, loopback_only=is_loopback(host), certificate=certificate)
    address = page_address(host, port, certificate)
    try:
        account = pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:  # a container may run as a number without a name
        account = str(os.geteuid())
    say(text("cli.serving", language, address=address, account=account))
    _say_certificate(certificate, address, say, language)
    say(_say_who_signs_in(store, address, language))
    warm_up(app)
    keep_tidy(app)
    make_server(app, certificate).run(sockets=[listener])


def _say_certificate(
    certificate: Certificate | None, address: str, say: Callable[[str], None], language: Language
) -> None:
    if certificate is None:
        return
    if certificate.authority is not None:
        print_of = fingerprint(certificate.authority)
        page = f"{address.replace('https:', 'http:')}/trust"
        say(text("tls.serves_own", language, page=page, fingerprint=print_of))
    if certificate.days_left < WARN_DAYS:
        how = "tls.ends_soon" if certificate.authority is None else "tls.ends_soon_own"
        say(text(how, language, days=certificate.days_left, day=certificate.ends.date()))
