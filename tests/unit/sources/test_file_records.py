"""Rows of files: lines, defects, encodings, and that the fast reader never differs from the patient one."""

import csv
import gzip
import io
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestration.errors import MetricpressError
from orchestration.sources.files.blocks import Blocks, NotPlainError
from orchestration.sources.files.records import Record, records
from orchestration.sources.files.source import file_format, inspect


def written(folder, name, content):
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def read(path, **options):
    return list(records(inspect(path, **options)))


@pytest.mark.parametrize(
    ("name", "expected"),
    [("a.csv", "delimited"), ("A.TSV.GZ", "delimited"), ("x.y.jsonl", "json"), ("a.parquet", "parquet")],
)
def test_the_name_tells_the_format(tmp_path, name, expected):
    assert file_format(tmp_path / name) == expected


@pytest.mark.parametrize(
    ("content", "delimiter"),
    [("a;b;c,d\n", ";"), ("a\tb\n", "\t"), ("a|b\n", "|"), ("a\n", ","), ("a,b\n", ",")],
)
def test_the_header_tells_the_delimiter(tmp_path, content, delimiter):
    assert inspect(written(tmp_path, "a.csv", content)).delimiter == delimiter


def test_lines_are_counted_through_quoted_line_breaks_and_empty_lines(tmp_path):
    path = written(tmp_path, "a.csv", 'a,b\n1,"x\ny"\n\n2,z\n')
    assert read(path) == [Record(2, ["1", "x\ny"]), Record(5, ["2", "z"])]


def test_a_row_of_another_length_is_a_defect_not_the_end(tmp_path):
    first, second = read(written(tmp_path, "a.csv", "a,b\n1,2,3\n4,5\n"))
    assert (first.line, first.defect, json.loads(first.content)) == (
        2,
        "has 3 fields, the header names 2",
        ["1", "2", "3"],
    )
    assert second == Record(3, ["4", "5"])


@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"])
def test_every_line_end_is_read(tmp_path, line_end):
    path = written(tmp_path, "a.csv", line_end.join(["a,b", "1,2", "3,4", ""]))
    assert [record.values for record in read(path)] == [["1", "2"], ["3", "4"]]


def test_a_byte_order_mark_is_no_part_of_the_first_name(tmp_path):
    assert inspect(written(tmp_path, "a.csv", b"\xef\xbb\xbfa,b\n")).columns == ("a", "b")


def test_another_encoding_is_read_when_it_is_named(tmp_path):
    path = written(tmp_path, "a.csv", "a,b\nJosé,1\n".encode("latin-1"))
    assert read(path, encoding="latin-1")[0].values == ["José", "1"]
    with pytest.raises(MetricpressError, match="not utf-8"):
        read(path)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.csv", b"", "no header"),
        ("a.csv", b"\n1,2\n", "no header"),
        ("a.csv", b"a,,b\n", "column 2 of the header has no name"),
        ("a.csv", b"a,b,a\n", 'names "a" twice'),
        ("a.csv.gz", b"a,b\n", "damaged gzip"),
        ("a.csv.gz", gzip.compress(b"a,b\n" + b"1,2\n" * 9999, mtime=0)[:-20], "damaged gzip"),
        ("a.xls", b"a", "does not tell the format"),
        ("a.parquet", b"PAR1", "not a readable Parquet file"),
    ],
)
def test_a_file_that_cannot_be_read_at_all_says_why_in_one_line(tmp_path, name, content, message):
    with pytest.raises(MetricpressError, match=message) as caught:
        read(written(tmp_path, name, content))
    assert "\n" not in str(caught.value)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(MetricpressError, match=r"none\.csv: no such file"):
        inspect(tmp_path / "none.csv")


def test_gzip_is_told_by_its_content_too(tmp_path):
    path = written(tmp_path, "a.csv", gzip.compress(b"a,b\n1,2\n", mtime=0))
    assert read(path) == [Record(2, ["1", "2"])]


def test_json_lines_have_the_keys_of_all_lines_and_keep_numbers_as_written(tmp_path):
    path = written(tmp_path, "a.jsonl", '{"a": "x", "b": 1.10}\n\n{"c": true, "a": null}\n[1]\n{"a": nope}\n')
    source = inspect(path)
    assert source.columns == ("a", "b", "c")
    good = [record for record in records(source) if not record.defect]
    assert [(record.line, record.values) for record in good] == [
        (1, ['"x"', "1.10", None]),  # as JSON, until a plan wants text
        (3, [None, None, "true"]),
    ]
    assert [(r.line, r.defect) for r in records(source) if r.defect] == [
        (4, "is not a JSON object"),
        (5, "is not valid JSON"),
    ]


FIELD = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=8)


@given(st.lists(st.tuples(FIELD, FIELD, FIELD), max_size=8), st.sampled_from(",;\t"))
def test_what_a_csv_writer_wrote_is_read_back(tmp_path_factory, rows, delimiter):
    buffer = io.StringIO(newline="")
    writer = csv.writer(buffer, delimiter=delimiter)
    writer.writerows([("a", "b", "c"), *rows])
    path = written(tmp_path_factory.mktemp("rows"), "a.csv", buffer.getvalue())
    assert [tuple(record.values) for record in read(path)] == rows


@pytest.mark.parametrize(
    "content",
    [
        'a,b\n5" pipe,1\n6" pipe,2\n',
        "a,b\n1,2\n\\.\n3,4\n",
        '"a\nb",c\n1,2\n',
    ],
)
def test_what_copy_would_read_otherwise_is_not_handed_on(tmp_path, content):
    with pytest.raises(NotPlainError):
        list(Blocks(inspect(written(tmp_path, "a.csv", content))))


def test_plain_blocks_are_the_bytes_behind_the_header(tmp_path):
    blocks = Blocks(inspect(written(tmp_path, "a.csv", 'a,b\n1,"x, ""y"""\n2,z')))
    assert b"".join(blocks) == b'1,"x, ""y"""\n2,z'
    assert blocks.rows == 2
