"""A picture of a report's first page for a user interface.

Belongs here: first_page_png. Does not belong here: rendering of reports.
"""

from __future__ import annotations

import io


def first_page_png(pdf: bytes, dpi: int = 60) -> bytes | None:
    """First page of a PDF as PNG (A4 at 60 dpi: 497 x 702); None for a document without pages."""
    # Imported when asked for: the library is 4 MB and only the user interface wants pictures.
    import pypdfium2

    with pypdfium2.PdfDocument(pdf) as document:
        if not len(document):
            return None
        picture = io.BytesIO()
        document[0].render(scale=dpi / 72).to_pil().save(picture, "PNG", optimize=True)
    return picture.getvalue()
