"""Serving the app over HTTP until somebody stops it; a port that is taken is said plainly."""

import math
import socket
import threading
from collections.abc import Callable
from contextlib import suppress

import sqlalchemy as sa
import uvicorn
from fastapi import FastAPI

from gis_service.access import SYSTEM
from gis_service.api.app import create_app
from gis_service.api.guard import is_loopback
from gis_service.errors import GisError, SetupError
from gis_service.grids.compiling import compile_all
from gis_service.settings import server_settings
from gis_service.store.engine import Store


class Server(uvicorn.Server):
    """A server that ends its streams of events first: it would wait for them for ever."""

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """End the streams, then everything else."""
        live = getattr(getattr(self.config.app, "state", None), "live", None)
        if live is not None:
            await live.close()
        await super().shutdown(sockets)


def warm_up(app: FastAPI) -> threading.Thread:
    """
    Make what the first question needs while nobody has asked yet: the grids, plans, the roads.

    Parameters
    ----------
    app
        Of :func:`~gis_service.api.app.create_app`.

    Returns
    -------
    threading.Thread
        Running; it ends by itself, also where there is no county.
    """

    def make() -> None:
        compile_all()
        # An empty store has no grids; a store that is gone is told to whoever asks first.
        with suppress(GisError, sa.exc.SQLAlchemyError):
            app.state.desk.current(SYSTEM, "base")
            with app.state.store.transaction(SYSTEM) as connection:
                app.state.plans.prepare(connection, "base")
            with app.state.store.transaction(SYSTEM) as connection:
                for profile in app.state.roads.book.profiles:
                    app.state.roads.router(connection, profile)

    thread = threading.Thread(target=make, name="warm-up", daemon=True)
    thread.start()
    return thread


def serve_forever(store: Store, host: str, port: int, say: Callable[[str], None]) -> None:
    """
    Serve until a signal ends it.

    Parameters
    ----------
    store
        The store.
    host, port
        Where to listen.
    say
        Told the address once it answers.

    Raises
    ------
    SetupError
        Something else listens there.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((host, port))
        except OSError as error:
            raise SetupError("api.port_taken", host=host, port=port) from error
        app = create_app(store, loopback_only=is_loopback(host))
        warm_up(app)
        config = uvicorn.Config(
            app,
            log_level="warning",
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=math.ceil(server_settings().shutdown_s),
        )
        shown = "localhost" if host in ("127.0.0.1", "::1") else host
        say(f"the map is at http://{shown}:{port} — stop with Ctrl-C")
        Server(config).run(sockets=[listener])
