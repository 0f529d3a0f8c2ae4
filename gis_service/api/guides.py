"""The example files of the data guide, to be downloaded from the running page."""

from pathlib import Path
from typing import Annotated, Final

from fastapi import APIRouter
from fastapi import Path as PathParameter
from fastapi.responses import FileResponse

from gis_service.api import examples
from gis_service.errors import NotFoundError
from gis_service.settings import ROOT

EXAMPLES: Final = ROOT / "docs" / "examples"
_MEDIA: Final = {".csv": "text/csv; charset=utf-8", ".geojson": "application/geo+json"}

router = APIRouter(prefix="/api/examples", tags=["imports"])


def _files() -> dict[str, Path]:
    return {file.name: file for file in sorted(EXAMPLES.iterdir()) if file.suffix in _MEDIA}


@router.get("", responses=examples.ok({"households": "/api/examples/households.csv"}))
def list_examples() -> dict[str, str]:
    """Name the example file of every kind of import."""
    return {file.stem: f"/api/examples/{name}" for name, file in _files().items()}


@router.get(
    "/{name}",
    response_class=FileResponse,
    responses=examples.files(
        {"text/csv": "楼栋编号,层数,经度,纬度", "application/geo+json": examples.FEATURES}
    ),
)
def read_example(
    name: Annotated[str, PathParameter(max_length=80, description="As households.csv.")],
) -> FileResponse:
    """Give one example file."""
    files = _files()
    if name not in files:  # only a name of the list: nothing that is asked becomes a path
        raise NotFoundError("api.no_example", name=name, known=", ".join(files))
    file = files[name]
    return FileResponse(file, media_type=_MEDIA[file.suffix], filename=name)
