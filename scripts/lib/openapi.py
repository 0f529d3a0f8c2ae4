"""Print what the API says of itself, for the types of its answers; needs no database."""

import json
import sys
from unittest.mock import MagicMock

from gis_service.api import create_app

json.dump(create_app(MagicMock()).openapi(), sys.stdout)
