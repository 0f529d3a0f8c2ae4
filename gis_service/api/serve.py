"""Serving the app over HTTP until somebody stops it; a port that is taken is said plainly."""

import socket
from collections.abc import Callable
from typing import Final

import uvicorn

from gis_service.api.app import create_app
from gis_service.api.guard import is_loopback
from gis_service.errors import SetupError
from gis_service.store.engine import Store

_GRACE_S: Final = 10


class Server(uvicorn.Server):
    """A server that ends its streams of events first: it would wait for them for ever."""

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """End the streams, then everything else."""
        live = getattr(getattr(self.config.app, "state", None), "live", None)
        if live is not None:
            await live.close()
        await super().shutdown(sockets)


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
        config = uvicorn.Config(
            app,
            log_level="warning",
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=_GRACE_S,
        )
        shown = "localhost" if host in ("127.0.0.1", "::1") else host
        say(f"the map is at http://{shown}:{port} — stop with Ctrl-C")
        Server(config).run(sockets=[listener])
