"""``gis-service cert``: an authority and a certificate for networks without a public one."""

from typing import Annotated

import typer

from gis_service.commands.terminal import language, say
from gis_service.messages import text


def make_certificates_here(
    names: Annotated[
        list[str] | None,
        typer.Argument(help="Host names and addresses under which the map is opened."),
    ] = None,
    new_authority: Annotated[
        bool,
        typer.Option(
            "--new-authority", help="Make another authority; every phone must trust it anew."
        ),
    ] = False,
) -> None:
    """Make a certificate for https, signed by an authority of this service's own."""
    from gis_service.certificates import make_certificates, own_names
    from gis_service.settings import server_settings

    made = make_certificates(names or own_names(), new_authority=new_authority)
    where = f"http://{made.names[0]}:{server_settings().port}/trust"
    say(text("tls.made", language(), names=", ".join(made.names), day=made.ends.date()))
    say(text("tls.made_new" if made.new_authority else "tls.made_again", language()))
    say(text("tls.made_fingerprint", language(), fingerprint=made.fingerprint))
    say(text("tls.made_next", language(), page=where))
