"""From a finished document to paper: PDF by WeasyPrint, pictures of its pages by PDFium.

The same document gives the same bytes: no clock, no random name goes in. Nothing is fetched: a
document that names an address is an error of ours.
"""

import hashlib
import io
import threading
from typing import Any, Final, NoReturn

_lock = threading.Lock()  # Pango and PDFium work for one thread at a time
_MM_PER_INCH: Final = 25.4
_POINTS_PER_INCH: Final = 72


def print_pdf(document: str) -> bytes:
    """
    Print an HTML document.

    Parameters
    ----------
    document
        Complete, with its styles inside.

    Returns
    -------
    bytes
        A PDF with its fonts inside.
    """
    from weasyprint import HTML  # noqa: PLC0415 (Pango is needed for printing only)

    identity = hashlib.sha256(document.encode()).hexdigest()[:32].encode()
    with _lock:
        printed = HTML(string=document, url_fetcher=refuse).write_pdf(pdf_identifier=identity)
    return bytes(printed)


def refuse(url: str, *_: Any, **__: Any) -> NoReturn:
    """
    Fetch nothing: neither from the network nor from this machine's disk.

    Parameters
    ----------
    url
        What a document asks for.

    Raises
    ------
    ValueError
        Always.
    """
    message = f"a printed document stands for itself, and asks for {url}"
    raise ValueError(message)


def count_pages(document: bytes) -> int:
    """
    Count the pages of a PDF.

    Parameters
    ----------
    document
        The PDF.

    Returns
    -------
    int
        At least one.
    """
    import pypdfium2  # noqa: PLC0415

    with _lock:
        opened = pypdfium2.PdfDocument(document)
        try:
            return len(opened)
        finally:
            opened.close()


def print_png(document: bytes, page: int = 0, dots_per_inch: int = 200) -> bytes:
    """
    Make a picture of a page of a PDF.

    Parameters
    ----------
    document
        The PDF.
    page
        Counted from 0.
    dots_per_inch
        200 gives an A4 sheet 1,654 × 2,339 points.

    Returns
    -------
    bytes
        A PNG.
    """
    import pypdfium2  # noqa: PLC0415

    with _lock:
        opened = pypdfium2.PdfDocument(document)
        try:
            picture = opened[page].render(scale=dots_per_inch / _POINTS_PER_INCH).to_pil()
        finally:
            opened.close()
    out = io.BytesIO()
    picture.convert("RGB").save(out, "PNG", optimize=True, dpi=(dots_per_inch, dots_per_inch))
    return out.getvalue()
