"""Many small shapes in little memory: packed, with an index of places, unpacked when asked for.

A polygon of five vertices takes 700 bytes as a geometry and 200 packed; a county has a hundred
thousand buildings and streets, of which an edit looks at some dozens.
"""

from typing import Any, Final, Literal

import numpy as np
import numpy.typing as npt
import shapely

from gis_service.geodesy import GeometryArray

IntArray = npt.NDArray[np.int64]

_BLOCK: Final = 64
"""So many neighbours have one box in the index."""


class PackedShapes:
    """Shapes by position, read only."""

    def __init__(self, shapes: GeometryArray) -> None:
        self._packed = shapely.to_wkb(shapes)
        self._bounds = shapely.bounds(shapes).reshape(-1, 4)
        self._order = _neighbours_together(self._bounds)
        begins = np.arange(0, len(shapes), _BLOCK)
        ordered = self._bounds[self._order]
        low, high = ordered[:, :2], ordered[:, 2:]
        if len(begins):
            low, high = np.minimum.reduceat(low, begins), np.maximum.reduceat(high, begins)
        boxes: Any = shapely.box(*low.T, *high.T)
        self._tree = shapely.STRtree(boxes)

    def __len__(self) -> int:
        return len(self._packed)

    def __getitem__(self, index: Any) -> Any:
        return shapely.from_wkb(self._packed[index])

    def bounds(self, index: Any) -> npt.NDArray[np.float64]:
        """Give west, south, east, north of shapes without unpacking them."""
        return np.asarray(self._bounds[index])

    def query(
        self, geometries: GeometryArray, predicate: Literal["crosses", "intersects"] | None = None
    ) -> tuple[IntArray, IntArray]:
        """
        Find what lies at some geometries.

        Parameters
        ----------
        geometries
            Where.
        predicate
            What must hold between a geometry and a shape; None asks only for boxes that meet.

        Returns
        -------
        geometry, shape
            Positions, a pair for each meeting.
        """
        geometry, block = self._tree.query(geometries)
        position = (block[:, None] * _BLOCK + np.arange(_BLOCK)).ravel()
        geometry, position = (
            np.repeat(geometry, _BLOCK)[position < len(self)],
            position[position < len(self)],
        )
        shape = self._order[position]
        box, shape_box = shapely.bounds(geometries)[geometry], self._bounds[shape]
        meets = (box[:, :2] <= shape_box[:, 2:]) & (box[:, 2:] >= shape_box[:, :2])
        geometry, shape = geometry[meets.all(axis=1)], shape[meets.all(axis=1)]
        if predicate is not None:
            shapely.prepare(geometries)
            holds = getattr(shapely, predicate)(geometries[geometry], self[shape])
            geometry, shape = geometry[holds], shape[holds]
        return geometry, shape


def _neighbours_together(bounds: npt.NDArray[np.float64]) -> IntArray:
    """Order by strips from west to east, and from south to north in each: sort-tile-recursive."""
    count = len(bounds)
    strips = max(1, round(np.sqrt(count / _BLOCK)))
    strip = np.empty(count, dtype=np.int64)
    strip[np.argsort(bounds[:, 0], kind="stable")] = np.arange(count) * strips // max(count, 1)
    return np.lexsort((bounds[:, 1], strip))
