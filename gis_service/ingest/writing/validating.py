"""Each row is validated before it goes into the store, or refused with its reason.

Checks work on whole columns. The first thing that is wrong with a row is its reason; the others go
in. A reason names the table, the row, its key and the field, never the value: it may be personal.
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import date, datetime
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import shapely

from gis_service.errors import InputError, Place
from gis_service.ingest.readers.frames import COLUMNS, Refusal
from gis_service.ingest.readers.values import as_object_array

Mask = npt.NDArray[np.bool_]
Day = date | None


class Validator:
    """One frame on its way into the store."""

    def __init__(
        self,
        name: str,
        frame: pd.DataFrame,
        id_column: str = "key",
        columns: Sequence[str] | None = None,
    ) -> None:
        names = COLUMNS[name] if columns is None else columns
        missing = [column for column in names if column not in frame.columns]
        if missing:
            raise InputError("ingest.columns_missing", table=name, columns=", ".join(missing))
        self.name = name
        self.columns: dict[str, Any] = {column: frame[column].to_numpy() for column in names}
        self.good: Mask = np.ones(len(frame), dtype=bool)
        self.refusals: list[Refusal] = []
        self._id = self.columns[id_column]

    def refuse(self, bad: npt.ArrayLike, key: str, field: str, **values: object) -> None:
        """Turn rows away."""
        refused = np.asarray(bad, dtype=bool) & self.good
        for index in np.flatnonzero(refused).tolist():
            place = Place(row=index + 1, feature=str(self._id[index]), field=field)
            self.refusals.append(Refusal.because(key, place, table=self.name, **values))
        self.good &= ~refused

    def get_good_values(self, field: str) -> Any:
        """Return a column of the rows that may go in, in the order of the frame."""
        return self.columns[field][self.good]

    # --- what a column must be -----------------------------------------------------------------

    def check_texts(self, *fields: str, required: bool = False, most: float | None = None) -> None:
        """Make texts of columns, nothing becomes an empty one; `most` counts characters."""
        for field in fields:
            values = self.columns[field]
            texts = [
                value if isinstance(value, str) else "" if null else str(value)
                for value, null in zip(values.tolist(), pd.isna(values).tolist(), strict=True)
            ]
            self.columns[field] = as_object_array(texts)
            self.refuse(["\x00" in text for text in texts], "ingest.row_bad_text", field)
            if most is not None:
                long = [len(text) > most for text in texts]
                self.refuse(long, "ingest.row_text_too_long", field, most=int(most))
            if required:
                self.refuse([not text.strip() for text in texts], "ingest.row_empty", field)

    def check_unique(self, field: str) -> None:
        """Refuse what was there before: of a repeated value the first row goes in."""
        repeats = pd.Series(self.columns[field]).where(self.good).dropna().duplicated()
        bad = np.zeros(len(self.good), dtype=bool)
        bad[repeats.index[repeats]] = True
        self.refuse(bad, "ingest.row_repeated", field)

    def check_one_of(self, field: str, allowed: Collection[str]) -> None:
        """Refuse unknown words."""
        known = pd.Series(self.columns[field]).isin(list(allowed)).to_numpy()
        self.refuse(~known, "ingest.row_unknown_word", field, allowed=", ".join(allowed))

    def check_numbers(
        self, field: str, low: float, high: float, *, whole: bool = True, optional: bool = False
    ) -> None:
        """Check numbers, both ends allowed; whole ones become int64 where none is missing."""
        values = pd.Series(self.columns[field])
        null = values.isna().to_numpy()
        exact = pd.api.types.is_integer_dtype(values)
        numbers = values if exact else pd.to_numeric(values, errors="coerce").astype(float)
        bad = ~numbers.between(low, high).to_numpy() & ~null
        if whole and not exact:
            bad |= (numbers % 1 != 0).to_numpy() & ~null
        self.refuse(bad, "ingest.row_bad_number", field, low=low, high=high)
        if not optional:
            self.refuse(null, "ingest.row_empty", field)
        if whole and not exact:
            filled = numbers.where(self.good & ~null, 0).astype(np.int64)
            self.columns[field] = (
                filled.astype(object).where(~null, None).to_numpy()
                if optional
                else filled.to_numpy()
            )
        else:
            self.columns[field] = numbers.to_numpy()

    def check_flags(self, *fields: str) -> None:
        """Check truth values."""
        for field in fields:
            values = pd.Series(self.columns[field])
            self.refuse(~values.isin([True, False]), "ingest.row_bad_flag", field)
            self.columns[field] = (values == True).to_numpy()  # noqa: E712

    def check_points(self, *, optional: bool = False) -> None:
        """Check ``lon`` and ``lat`` and make ``point`` of them, None where both are missing."""
        pair = []
        for field, limit in (("lon", 180.0), ("lat", 90.0)):
            degrees = pd.to_numeric(pd.Series(self.columns[field]), errors="coerce")
            pair.append(degrees.to_numpy(dtype=float))
            bad = ~(np.abs(pair[-1]) <= limit)
            if optional:
                bad &= ~pd.isna(self.columns[field])
            self.refuse(bad, "ingest.row_bad_degrees", field, limit=int(limit))
        lon, lat = pair
        self.refuse(np.isnan(lon) != np.isnan(lat), "ingest.row_half_a_point", "lon")
        complete = ~np.isnan(lon) & ~np.isnan(lat)
        points = np.full(len(lon), None, dtype=object)
        points[complete] = shapely.points(lon[complete], lat[complete])
        self.columns["point"] = points

    def check_geometries(
        self, field: str, kinds: Collection[int], *, optional: bool = False
    ) -> None:
        """Check shapes: of the right type, valid, within the globe."""
        values = np.array(self.columns[field], dtype=object)
        null = pd.isna(values)
        values[null] = None
        self.columns[field] = values
        bounds = shapely.bounds(values)
        on_globe = (np.abs(bounds) <= np.array([180.0, 90.0, 180.0, 90.0])).all(axis=1)
        right_type = np.isin(shapely.get_type_id(values), list(kinds))
        self.refuse(~right_type & ~null, "ingest.row_wrong_shape", field)
        self.refuse(~on_globe & ~null, "ingest.row_outside_globe", field)
        self.refuse(~shapely.is_valid(values) & ~null, "ingest.row_invalid_shape", field)
        if not optional:
            self.refuse(null, "ingest.row_empty", field)

    def check_days(self, field: str, *, optional: bool = False) -> None:
        """Check days; a moment becomes its day, nothing that is optional becomes None."""
        values = [_as_day(value) for value in pd.Series(self.columns[field]).astype(object)]
        null = pd.isna(self.columns[field])
        unreadable = np.array([value is None for value in values], dtype=bool) & ~null
        self.refuse(unreadable, "ingest.row_bad_day", field)
        if not optional:
            self.refuse(null, "ingest.row_empty", field)
        self.columns[field] = as_object_array(values)

    def check_moments(self, field: str, *, optional: bool = False) -> None:
        """Check points in time, which must tell their offset from UTC."""
        values = pd.Series(self.columns[field]).astype(object)
        null = values.isna().to_numpy()
        zoned = [isinstance(value, datetime) and value.tzinfo is not None for value in values]
        self.refuse(~np.array(zoned, dtype=bool) & ~null, "ingest.row_bad_moment", field)
        if not optional:
            self.refuse(null, "ingest.row_empty", field)
        self.columns[field] = as_object_array(
            [value if good else None for value, good in zip(values, zoned, strict=True)]
        )

    def check_order(self, first: str, second: str, *, strictly: bool = False) -> None:
        """Refuse what ends before it begins; what is missing is in order."""
        bad = [
            start is not None and end is not None and (end < start or (strictly and end == start))
            for start, end in zip(self.columns[first], self.columns[second], strict=True)
        ]
        self.refuse(bad, "ingest.row_out_of_order", second, first=first)

    def check_valid_days(self) -> None:
        """Check ``valid_from`` and ``valid_to`` and make the column ``valid`` of pairs."""
        self.check_days("valid_from")
        self.check_days("valid_to", optional=True)
        self.check_order("valid_from", "valid_to", strictly=True)
        pairs = zip(self.columns["valid_from"], self.columns["valid_to"], strict=True)
        self.columns["valid"] = as_object_array(list(pairs))

    def check_present_iff(self, field: str, expected: npt.ArrayLike, other_field: str) -> None:
        """Refuse what has a value where it must not, or none where it must."""
        is_present = ~pd.isna(self.columns[field])
        bad = is_present != np.asarray(expected, dtype=bool)
        self.refuse(bad, "ingest.row_does_not_fit", field, other=other_field)

    def resolve_keys(
        self, field: str, ids: Mapping[Any, int], into: str, *, optional: bool = False
    ) -> None:
        """Write the ids of other rows, named by their keys, into a new column."""
        keys = self.columns[field]
        null = pd.isna(keys) | (keys == "")
        found_ids = as_object_array(
            [
                None if is_null else ids.get(key)
                for key, is_null in zip(keys, null.tolist(), strict=True)
            ]
        )
        self.refuse(pd.isna(found_ids) & ~null, "ingest.row_unknown_key", field)
        if not optional:
            self.refuse(null, "ingest.row_empty", field)
        self.columns[into] = found_ids

    def check_no_overlap(self, *owners: tuple[str, ...]) -> None:
        """Refuse days of ``valid`` that meet an earlier range of an owner, named by columns."""
        # A row that is refused stands in no other's way.
        valid = self.columns["valid"]
        names = [
            list(zip(*(self.columns[column] for column in columns), strict=True))
            for columns in owners
        ]
        ends_by_owner: list[dict[Any, Day]] = [{} for _ in owners]
        bad = np.zeros(len(self.good), dtype=bool)
        for row in sorted(np.flatnonzero(self.good).tolist(), key=lambda row: valid[row][0]):
            low, high = valid[row]
            row_owners = [name[row] for name in names]
            taken_until = [
                ends.get(name, date.min)
                for ends, name in zip(ends_by_owner, row_owners, strict=True)
            ]
            if any(until is None or low < until for until in taken_until):
                bad[row] = True
                continue
            for ends, name in zip(ends_by_owner, row_owners, strict=True):
                ends[name] = high
        fields = " / ".join(", ".join(columns) for columns in owners)
        self.refuse(bad, "ingest.row_overlaps", "valid_from", fields=fields)

    def check_tags(self, field: str) -> None:
        """Check lists of words."""
        lists = [_check_words(value) for value in self.columns[field]]
        self.refuse([words is None for words in lists], "ingest.row_bad_list", field)
        self.columns[field] = as_object_array(lists)


def _check_words(value: Any) -> list[str] | None:
    if isinstance(value, list | tuple | np.ndarray):
        words = list(value)
        clean = all(isinstance(word, str) and word and "\x00" not in word for word in words)
        return words if clean else None
    return [] if value is None or value is pd.NA or value != value else None  # noqa: PLR0124


def _as_day(value: Any) -> Day:
    if value is None or value is pd.NaT:
        return None
    if isinstance(value, datetime):
        return value.date()
    return value if isinstance(value, date) else None
