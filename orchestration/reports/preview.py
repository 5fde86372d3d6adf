"""A picture of a report's first page for a user interface.

Belongs here: first_page_png. Does not belong here: rendering of reports.
"""

from __future__ import annotations

import shutil
import subprocess

_PROGRAM = "pdftoppm"
_SECONDS = 30


def first_page_png(pdf: bytes, dpi: int = 60) -> bytes | None:
    """First page of a PDF as PNG (A4 at 60 dpi: 496 x 702); None when poppler-utils is not installed.

    Raises subprocess.CalledProcessError for bytes that are no PDF.
    """
    program = shutil.which(_PROGRAM)
    if program is None:
        return None
    command = [program, "-png", "-r", str(dpi), "-f", "1", "-l", "1", "-singlefile", "-"]
    return subprocess.run(command, input=pdf, capture_output=True, check=True, timeout=_SECONDS).stdout
