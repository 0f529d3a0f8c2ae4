"""``python -m gis_service`` is the command ``gis-service``."""

from gis_service.cli import main

main()
