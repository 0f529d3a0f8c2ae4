"""What kinds of record and their fields are called: by the message files, else by counties."""

from collections.abc import Sequence

from gis_service.messages import Language, all_texts
from gis_service.records.field import Field, Record


def said(key: str, own: tuple[str, str], language: Language) -> str:
    """
    Say something of a kind of record.

    Parameters
    ----------
    key
        Of the message files.
    own
        Where they have no such text: the kind's own in Chinese and English.
    language
        The reader's.

    Returns
    -------
    str
        The text.
    """
    return all_texts(language).get(key, own[language == "en"])


def field_name(record: Record, one: Field, language: Language) -> str:
    """
    Name a field.

    Parameters
    ----------
    record
        Its kind.
    one
        The field.
    language
        The reader's.

    Returns
    -------
    str
        The text of its own, else the first name that counties have for it in the language.
    """
    texts = all_texts(language)
    keys = (f"entry.field_{record.name}_{one.name}", f"entry.field_{one.name}")
    own = column_name(one.heading, one.names, language)
    return next((texts[key] for key in keys if key in texts), own)


def column_name(name: str, names: Sequence[str], language: Language) -> str:
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
    own = next((one for one in names if not one.isascii()), english), english
    return said(f"imports.field_{name}", own, language)
