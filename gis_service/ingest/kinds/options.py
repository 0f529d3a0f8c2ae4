"""The kinds of file that an import takes, each with the options that it alone has.

Apart from what works on them, so that a command can tell them without reading all of it.
"""

from collections.abc import Mapping
from typing import Final

from gis_service.records import RECORDS

OPTIONS: Final[Mapping[str, Mapping[str, str]]] = {
    **{record.plural: {} for record in RECORDS.values()},
    "grids": {
        "tolerance_m": "grids_file.option_tolerance_m",
        "scheme": "grids_file.option_scheme",
        "effective": "grids_file.option_effective",
        "level": "grids_file.option_level",
        "levels": "grids_file.option_levels",
        "title": "grids_file.option_title",
        "allow_holes": "grids_file.option_allow_holes",
    },
    "admin_units": {
        "source_list": "units_file.option_source_list",
        "within": "units_file.option_within",
        "valid_from": "units_file.option_valid_from",
    },
    "roads": {
        "snap_m": "roads_file.option_snap_m",
        "node_crossings": "roads_file.option_node_crossings",
        "clipped": "roads_file.option_clipped",
        "data_day": "roads_file.option_data_day",
        "name": "roads_file.option_name",
    },
}
"""Message key of what an option does, by its name, by the name of the kind."""
