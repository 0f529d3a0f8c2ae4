"""Fingerprints of the demo county's frames; as a program, those of a county made afresh."""

import hashlib
import json
import sys
from pathlib import Path

import pandas as pd
import shapely

from gis_service.ingest.readers.frames import COLUMNS, CountyFrames
from scripts.demo_county.boundaries import load_boundaries
from scripts.demo_county.county import make_county


def fingerprint(frame: pd.DataFrame) -> str:
    """Digest every column of a frame, geometries by their bytes."""
    digest = hashlib.sha256()
    for name in frame.columns:
        values = frame[name].to_numpy()
        if name in ("geometry", "footprint"):
            digest.update(b"".join(one or b"" for one in shapely.to_wkb(values)))
        else:
            digest.update(repr(values.tolist()).encode())
    return digest.hexdigest()


def fingerprints(county: CountyFrames) -> dict[str, str]:
    """Digest every frame."""
    return {name: fingerprint(getattr(county, name)) for name in COLUMNS}


if __name__ == "__main__":
    print(json.dumps(fingerprints(make_county(load_boundaries(Path(sys.argv[1]))))))
