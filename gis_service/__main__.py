"""``python -m gis_service`` is the command ``gis-service``."""

from gis_service.front import main

main()
