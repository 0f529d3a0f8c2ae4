"""What kinds of record and their fields are called: by the message files, else by counties."""

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
    keys = (f"entry.field_{record.name}_{one.name}", f"entry.field_{one.name}",
            f"imports.field_{one.heading}")  # fmt: skip
    texts = all_texts(language)
    english = one.name.replace("_", " ")
    own = english if language == "en" else next(iter(one.names), english)
    return next((texts[key] for key in keys if key in texts), own)
