"""Whole blocks of CSV for COPY: the fast way of a file into the database.

Belongs here: handing on bytes unparsed, and noticing what PostgreSQL and a patient reader would take apart
differently. Does not belong here: reading rows one by one (records.py).
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator

from orchestration.sources.files.records import records
from orchestration.sources.files.source import BYTE_ORDER_MARK, Advance, SourceFile, open_bytes

BLOCK_BYTES = 1 << 20
BLOCK_ROWS = 5_000


class NotPlainError(Exception):
    """The file holds something that must be read row by row; says what."""


class Blocks:
    """The rows of a file as CSV with its delimiter, without a header.

    Once all blocks are handed out, `rows` is how many rows COPY must have found. Raises NotPlainError when
    COPY might read a row otherwise than a patient reader does.
    """

    def __init__(self, source: SourceFile, advance: Advance | None = None) -> None:
        self.rows = 0
        self._source = source
        self._advance = advance

    def __iter__(self) -> Iterator[bytes]:
        match self._source.format:
            case "delimited":
                return self._delimited()
            case "json":
                return self._json()
            case "parquet":
                return self._parquet()

    def _delimited(self) -> Iterator[bytes]:
        if self._source.encoding.lower().replace("_", "-") not in ("utf-8", "utf8", "utf-8-sig"):
            raise NotPlainError("another encoding")
        delimiter = re.escape(self._source.delimiter.encode())
        stray_quote = re.compile(b'[^"%b\r\n]"[^"%b\r\n]' % (delimiter, delimiter))
        with open_bytes(self._source.path, self._advance) as raw:
            buffered = io.BufferedReader(raw, BLOCK_BYTES)  # type: ignore[type-var]
            header = buffered.readline(BLOCK_BYTES).removeprefix(BYTE_ORDER_MARK)
            if not header.endswith(b"\n") or header.count(b'"') % 2:
                raise NotPlainError("a header over several lines")
            tail = b""
            while block := buffered.read(BLOCK_BYTES):
                seam = tail + block
                if b"\\." in seam:  # alone on a line it ends COPY
                    raise NotPlainError("a backslash before a dot")
                if b'"' in seam and stray_quote.search(seam):
                    raise NotPlainError("a quote inside a field")
                self.rows += block.count(b"\n")
                tail = block[-2:]
                yield block
            if tail and not tail.endswith(b"\n"):
                self.rows += 1

    def _json(self) -> Iterator[bytes]:
        buffer = io.StringIO(newline="")
        writer = csv.writer(buffer)
        for record in records(self._source, self._advance):
            if record.defect:
                raise NotPlainError(record.defect)
            writer.writerow(record.values)
            self.rows += 1
            if self.rows % BLOCK_ROWS == 0:
                yield buffer.getvalue().encode()
                buffer.seek(0)
                buffer.truncate()
        yield buffer.getvalue().encode()

    def _parquet(self) -> Iterator[bytes]:
        from orchestration.sources.files.parquet import parquet_blocks

        for rows, block in parquet_blocks(self._source.path, self._advance):
            self.rows += rows
            yield block
