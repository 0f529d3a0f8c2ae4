"""What kinds of record and their fields are called: by the message files, else by counties."""

from collections.abc import Sequence

from gis_service.messages import Language, all_texts
from gis_service.records.field import Field, Record


def find_text(key: str, fallback: tuple[str, str], language: Language) -> str:
    """
    Say something of a kind of record.

    Parameters
    ----------
    key
        Of the message files.
    fallback
        Where they have no such text: the kind's own in Chinese and English.
    language
        The reader's.

    Returns
    -------
    str
        The text.
    """
    return all_texts(language).get(key, fallback[language == "en"])


def find_field_name(record: Record, field: Field, language: Language) -> str:
    """
    Name a field.

    Parameters
    ----------
    record
        Its kind.
    field
        The field.
    language
        The reader's.

    Returns
    -------
    str
        The text of its own, else the first name that counties have for it in the language.
    """
    texts = all_texts(language)
    keys = (f"entry.field_{record.name}_{field.name}", f"entry.field_{field.name}")
    fallback = find_column_name(field.heading, field.names, language)
    return next((texts[key] for key in keys if key in texts), fallback)


def find_column_name(name: str, names: Sequence[str], language: Language) -> str:
    """
    Name a column of a file.

    Parameters
    ----------
    name
        Ours.
    names
        Those of counties.
    language
        The reader's.

    Returns
    -------
    str
        The text of its own; else the first Chinese name, or ours with blanks.
    """
    english = name.replace("_", " ")
    fallback = next((alias for alias in names if not alias.isascii()), english), english
    return find_text(f"imports.field_{name}", fallback, language)
