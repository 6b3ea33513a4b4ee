"""The reader `csv`: the files that people drop in all their forms, and the messages about those it refuses."""

from __future__ import annotations

import codecs
import contextlib
import csv
import io
import random
import re
import tracemalloc
import unicodedata
from collections.abc import Iterable
from itertools import islice
from pathlib import Path

import pytest
from files_support import PATIENT, assert_tells_what_to_do, bad, read, refused
from hypothesis import assume, example, given
from hypothesis import strategies as st
from languages import CODE_PAGES, REVIEWS
from pydantic import ValidationError
from tests.cases import share

from batchd import BadRow, Source
from batchd_files.delimited.csv_reader import CsvReader, CsvSettings
from batchd_files.delimited.delimiter import find_delimiter
from batchd_files.delimited.forms import is_blank
from batchd_files.texts.guessing import MIN_BYTES, guess


def reader(**settings: str) -> CsvReader:
    return CsvReader(CsvSettings(**settings))


@pytest.fixture
def drop(tmp_path: Path):
    def write(content: bytes | str, name: str = "reviews.csv") -> Path:
        path = tmp_path / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    return write


# --- what is read ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "columns", "rows"),
    [
        pytest.param("id,text\n1,good\n2,bad\n", ["id", "text"], [["1", "good"], ["2", "bad"]], id="plain"),
        pytest.param("id,text\r\n1,good\r\n", ["id", "text"], [["1", "good"]], id="crlf"),
        pytest.param("id,text\r1,good\r2,bad\r", ["id", "text"], [["1", "good"], ["2", "bad"]], id="lone cr"),
        pytest.param("id,text\n1,good", ["id", "text"], [["1", "good"]], id="no newline at the end"),
        pytest.param("\n\nid,text\n\n1,good\n\n", ["id", "text"], [["1", "good"]], id="blank lines"),
        pytest.param("id,text\n1,good\n   \n2,bad\n", ["id", "text"], [["1", "good"], ["2", "bad"]], id="only spaces"),
        pytest.param(' id , text\n" 1 ", x \n', ["id", "text"], [[" 1 ", " x "]], id="names stripped, cells not"),
        pytest.param(
            "id,,text,\n1,2,3,4\n", ["id", "column 2", "text", "column 4"], [["1", "2", "3", "4"]], id="nameless"
        ),
        pytest.param("column 2,\n1,2\n", ["column 2", "column 2 (2)"], [["1", "2"]], id="nameless, name in use"),
        pytest.param('id,text\n1,"a, ""b""\r\nc"\n', ["id", "text"], [["1", 'a, "b"\r\nc']], id="quotes"),
        pytest.param('text\n""\n" "\nx\n', ["text"], [["x"]], id="one column, empty cells are no rows"),
        pytest.param('text\n5" screen\n', ["text"], [['5" screen']], id="a quote inside a cell is text"),
        pytest.param(
            "a,b\n\u2028,\x0b\x85\n", ["a", "b"], [["\u2028", "\x0b\x85"]], id="other line separators are text"
        ),
        pytest.param("sep=;\na;b\n1,5;2\n", ["a", "b"], [["1,5", "2"]], id="sep line"),
        pytest.param("SEP=^\r\na^b\r\n1;5^2\r\n", ["a", "b"], [["1;5", "2"]], id="sep line, odd delimiter"),
        pytest.param("sep=\t\na\tb\n1\t2\n", ["a", "b"], [["1", "2"]], id="sep line, tab"),
    ],
)
def test_reads(drop, content, columns, rows):
    assert read(reader(), drop(content)) == (columns, rows)


@pytest.mark.parametrize(
    ("content", "delimiter"),
    [
        pytest.param("a,b\n1,2\n", ",", id="comma"),
        pytest.param("a;b\n1,5;2,5\n3,1;4,7\n", ";", id="semicolon, decimal commas"),
        pytest.param("a;b;c\n1,5;2,5;3,5\n", ";", id="more commas than semicolons in the rows"),
        pytest.param("a\tb\nx, y\tz; w\n", "\t", id="tab"),
        pytest.param("a|b\n1|2\n", "|", id="bar"),
        pytest.param('"a;b",c\n"1;2",3\n', ",", id="others are quoted"),
        pytest.param("a,b,c,d\n1,2,3\n1,2,3,4\n1,2,3,4\n", ",", id="a ragged row"),
        pytest.param("a,b,c\n1,2,3,\n1,2,3,\n", ",", id="the rows end in a delimiter, the header does not"),
        pytest.param("text\ngood\nbad\n", ",", id="one column"),
        pytest.param("text\nGood, but slow\nBad\nAwful, late, broken\n", ";", id="one column of unquoted prose"),
        pytest.param("a;b,c\n1;2,3\n", ",", id="a draw is the comma's"),
        pytest.param("a,b;c;d\n1,2;3;4\n", ";", id="in a draw of agreement, more columns"),
    ],
)
def test_finds_the_delimiter(drop, content, delimiter):
    one = reader()
    read(one, drop(content))
    assert one.describe() == {"encoding": "utf-8", "delimiter": delimiter}


def test_a_tsv_has_tabs_if_both_fit(drop):
    assert read(reader(), drop("a,b\tc\n1,2\t3\n", "x.tsv")) == (["a,b", "c"], [["1,2", "3"]])
    assert read(reader(), drop("a,b\tc\n1,2\t3\n", "x.csv")) == (["a", "b\tc"], [["1", "2\t3"]])


def test_a_sample_cut_in_the_middle_of_a_row_does_not_mislead():
    assert find_delimiter("a,b;c;d\n1,2;3;4\n5,6;7", complete=False) == ";"
    assert find_delimiter("a,b;c;d\n1,2;3;4\n5,6;7", complete=True) == ","
    assert find_delimiter("", complete=True) == ","


def test_a_sample_cut_within_quotes_does_not_mislead(drop):
    cell = "long, " * 20_000
    assert read(reader(), drop(f'a, b;c;d\n1, 2;3;"{cell}"\n')) == (["a, b", "c", "d"], [["1, 2", "3", cell]])


def test_a_configured_delimiter_is_used_unchecked(drop):
    assert read(reader(delimiter="|"), drop("a,b\n1,2\n")) == (["a,b"], [["1,2"]])


# --- encodings -------------------------------------------------------------------------------------------------

VIETNAMESE = """mã,nhận xét
1,"Sản phẩm rất tốt, giao hàng nhanh, đóng gói cẩn thận. Tôi rất hài lòng."
2,"Hàng không giống như trong hình, chất lượng kém, thất vọng quá."
3,"Shop phục vụ nhiệt tình, sẽ ủng hộ lần sau."
4,"Giá hợp lý nhưng thời gian vận chuyển hơi lâu, mong cải thiện thêm."
"""
RUSSIAN = "номер,отзыв\n" + "1,Товар хороший, доставка быстрая.\n2,Не понравилось качество, верну деньги.\n" * 4


def to_cp1258(text: str) -> bytes:
    """As Windows writes Vietnamese: the tone as a mark after the letter."""
    encoded = b""
    for letter in unicodedata.normalize("NFC", text):
        parts = unicodedata.normalize("NFD", letter)
        spellings = [letter] + [
            unicodedata.normalize("NFC", parts[:at] + parts[at + 1 :]) + parts[at] for at in range(1, len(parts))
        ]
        for spelling in spellings:
            try:
                encoded += spelling.encode("cp1258")
                break
            except UnicodeEncodeError:
                continue
        else:
            raise AssertionError(letter)
    return encoded


@pytest.mark.parametrize(
    ("encoding", "mark", "described"),
    [
        ("utf-8", b"", "utf-8"),
        ("utf-8", codecs.BOM_UTF8, "utf-8-sig"),
        ("utf-16-le", codecs.BOM_UTF16_LE, "utf-16"),
        ("utf-16-be", codecs.BOM_UTF16_BE, "utf-16"),
        ("utf-32-le", codecs.BOM_UTF32_LE, "utf-32"),
    ],
)
def test_reads_every_unicode_encoding(drop, encoding, mark, described):
    one = reader()
    columns, rows = read(one, drop(mark + VIETNAMESE.encode(encoding)))
    assert columns == ["mã", "nhận xét"]
    assert rows[1] == ["2", "Hàng không giống như trong hình, chất lượng kém, thất vọng quá."]
    assert one.describe()["encoding"] == described


def test_a_mark_overrides_the_configured_encoding(drop):
    content = codecs.BOM_UTF8 + VIETNAMESE.encode()
    assert read(reader(encoding="cp1258"), drop(content)) == read(reader(), drop(content))


def test_vietnamese_from_windows_is_composed(drop):
    columns, rows = read(reader(encoding="cp1258"), drop(to_cp1258(VIETNAMESE)))
    assert [columns, *rows] == list(csv.reader(io.StringIO(VIETNAMESE)))


def test_other_text_is_not_composed(drop):
    decomposed = unicodedata.normalize("NFD", "é")
    assert read(reader(), drop(f"a,b\n{decomposed},x\n"))[1] == [[decomposed, "x"]]


@pytest.mark.parametrize(
    ("content", "encoding"),
    [(to_cp1258(VIETNAMESE * 3), "cp1258"), (RUSSIAN.encode("cp1251"), "cp1251"), (RUSSIAN.encode("koi8-r"), "koi8-r")],
)
def test_an_encoding_that_is_certain_is_read_and_said(drop, content, encoding):
    one = reader()
    found = read(one, drop(content))
    assert one.describe()["encoding"] == encoding
    assert one.describe()["guessed"]
    assert found == read(reader(encoding=encoding), drop(content))
    assert (one.dialect().encoding, one.dialect().mark, one.dialect().guessed) == (encoding, False, True)


@pytest.mark.parametrize(
    ("content", "readings"),
    [
        (b"a,b\n1,caf\xe9\n", ["“café” in cp1252", "“cafť” in mac-latin2"]),
        (b"a,b\n" + b"1,plain words\n" * 50 + b"2,caf\xe9\n", ["“café” in cp1252"]),
        (b"a,b\n1,\xc4rgerlich\n", ["“Ärgerlich” in cp1252", "“ƒrgerlich” in mac-roman"]),
        ("a,b\n1,It’s good\n".encode("cp1252"), ["“It’s” in cp1252"]),
    ],
)
def test_where_none_is_certain_a_person_sees_how_it_would_read(drop, content, readings):
    message = str(refused(reader(), drop(content)))
    for reading in readings:
        assert reading in message
    assert "it seems" not in message
    assert 'set encoding = "…"' in message


def test_a_file_put_together_from_two_encodings_is_refused(drop):
    content = RUSSIAN.encode("cp1251") * 5 + "6,Товар хороший\n".encode()
    message = str(refused(reader(), drop(content)))
    assert "line 1 " in message
    assert "and those in line 46 are" in message
    assert "Save each of them as UTF-8" in message


def test_an_encoding_that_does_not_hold_to_the_end_is_not_taken(drop):
    content = RUSSIAN.encode("cp1251") * 100 + b"7,\x98\n"
    assert refused(reader(), drop(content)).code == "encoding"


@pytest.mark.slow
def test_a_few_words_however_often_they_are_there_are_not_taken_wrongly():
    chance = random.Random(5)
    wrong = []
    for language, texts in share(REVIEWS.items()):
        words = sorted({word for text in texts for word in re.findall(r"[^\W\d_]+", text) if not word.isascii()})
        for encoding in CODE_PAGES[language]:
            for count in (1, 2):
                lines = encodable(chance.sample(words, min(count, len(words))), encoding) * 250
                sample = b"".join(line for line in lines if not line.isascii())
                found = guess(sample) if sample and sum(byte > 0x7F for byte in sample) >= MIN_BYTES else None
                if found is not None and found.sure is not None:
                    right = composed(sample.decode(found.sure)) == composed(sample.decode(encoding))
                    wrong += [] if right else [(language, encoding, found.sure, lines[:count])]
    assert not wrong


@pytest.mark.parametrize(
    "text",
    [
        "Für den Preis völlig in Ordnung, würde ich wieder kaufen!",
        "Die schöne Tasche ist für mich zu groß",
        "Größe und Farbe wie gewünscht, schöner Stoff",
    ],
)
def test_german_that_repeats_itself_is_taken(drop, text):
    rows = [[str(number), text] for number in range(100)]
    content = "id,text\r\n" + "".join(f'{number},"{text}"\r\n' for number, text in rows)
    one = reader()
    assert read(one, drop(content.encode("cp1252"))) == (["id", "text"], rows)
    assert one.describe()["guessed"]


@pytest.mark.slow
def test_no_encoding_of_the_corpus_is_taken_wrongly():
    tried = taken = 0
    for language, texts in share(REVIEWS.items()):
        for encoding in CODE_PAGES[language]:
            for repeats in (1, 6):
                lines = encodable(texts, encoding) * repeats
                sample = b"".join(line for line in lines if not line.isascii())
                if not sample:
                    continue
                found = guess(sample)
                enough = sum(byte > 0x7F for byte in sample) >= MIN_BYTES
                tried += enough
                if found.sure is not None:
                    taken += 1
                    assert composed(sample.decode(found.sure)) == composed(sample.decode(encoding)), (
                        language,
                        encoding,
                    )
                elif enough:
                    right = composed(sample.decode(encoding))
                    assert right in [composed(each.text) for each in found.candidates], (language, encoding)
    assert taken > tried * 0.75, f"{taken} of {tried}"


def encodable(texts: Iterable[str], encoding: str) -> list[bytes]:
    """Lines of a file with those of the texts that the encoding has all letters for."""
    lines = []
    for number, text in enumerate(texts):
        with contextlib.suppress(UnicodeEncodeError):
            line = f"{number},{text}\r\n"
            lines.append(to_cp1258(line) if encoding == "cp1258" else line.encode(encoding))
    return lines


def composed(text: str) -> str:
    return unicodedata.normalize("NFC", text)


@pytest.mark.parametrize(
    ("content", "beginning"),
    [
        (
            "\n".join(REVIEWS["German"]).encode("cp1252"),
            "Special characters in line 1 (“schön”) are not valid UTF-8, but it seems cp1252. Save the file",
        ),
        (b"a,b\n1,\xff\xfe\xfd\n", "Special characters in line 2 are not valid UTF-8."),
    ],
)
def test_the_person_who_dropped_the_file_is_addressed_first(drop, content, beginning):
    message = str(refused(reader(), drop(content)))
    assert message.startswith(beginning)
    assert "drop it again. For the operator: byte " in message


@pytest.mark.parametrize("ahead", [0, 1, 70_000, 1_048_572, 1_048_573, 2_200_000])
def test_the_refusal_names_line_and_byte(drop, ahead):
    good = b"a,b\n" + b"1,\xc3\xa9" + b"x" * ahead + b"\n2,"
    message = str(refused(reader(), drop(good + b"\xe9\n")))
    assert "Special characters in line 3 " in message
    assert f"byte {len(good) + 1:,} of the file is 0xE9" in message


def test_the_line_is_right_with_old_macintosh_line_ends(drop):
    message = str(refused(reader(), drop(b"a\r1\r2\xff\r")))
    assert "in line 3 " in message
    assert "byte 6 of" in message


def test_a_character_cut_off_at_the_end_is_refused(drop):
    assert "byte 7 of" in str(refused(reader(), drop(b"a,b\n1,\xc3")))
    assert refused(reader(), drop(codecs.BOM_UTF16_BE + "a,b\n1,é\n2".encode("utf-16-be")[:-1])).code == "encoding"


def test_the_configured_encoding_is_strict_as_well(drop):
    refusal = refused(reader(encoding="cp1252"), drop(b"a,b\n1,\x81\n"))
    assert refusal.code == "encoding"
    assert "line 2 are not valid cp1252" in str(refusal)
    assert "byte 7 of" in str(refusal)


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
def test_utf_16_without_a_mark_is_read_where_its_order_is_certain(drop, encoding):
    faults = []
    for language, texts in REVIEWS.items():
        content = "id\ttext\r\n" + "".join(f"{number}\t{text}\r\n" for number, text in enumerate(texts))
        one = reader()
        columns, rows = read(one, drop(content.encode(encoding)))
        said = one.describe()["encoding"], one.describe().get("guessed"), one.dialect().guessed
        if columns != ["id", "text"] or [row[1] for row in rows] != list(texts) or said != (encoding, True, True):
            faults.append((language, said, rows[:1]))
    assert not faults
    # Where nothing tells the order, or a half of a character is left, a person is asked.
    assert refused(reader(), drop("天地,玄黃".encode(encoding))).code == "encoding"
    assert refused(reader(), drop(VIETNAMESE.encode(encoding)[:-1])).code == "encoding"
    assert refused(reader(), drop(f"a,b\n\x01{VIETNAMESE}".encode(encoding))).code == "encoding"


# --- files that are refused ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "code", "says"),
    [
        (b"", "empty", "empty"),
        (b"\n \r\n\n", "empty", "empty"),
        (b"\n\n\r\n", "empty", "empty"),
        (codecs.BOM_UTF8, "empty", "empty"),
        (codecs.BOM_UTF16_LE, "empty", "empty"),
        (b"sep=;\n", "empty", "empty"),
        (b"a,b\n", "no_rows", "no rows"),
        (b"a,b\n\n\n", "no_rows", "no rows"),
        (b",,\n1,2,3\n", "header", "Line 1"),
        (b'a,"b\n1,x\n2,y\n', "quote", "opened on line 1 and never closed"),
        (b"PK\x03\x04" + b"\0" * 60 + b"xl/workbook.xml", "binary", "Excel workbook (xlsx)"),
        (b"\xef\xbb\xbf\r\n<!DOCTYPE HTML>\n<html><table>", "binary", "a web page (HTML)"),
        (b"<table border=1>\n<tr><td>a</td></tr></table>\n", "binary", "a web page (HTML)"),
        (b"PK\x03\x04" + b"\0" * 9000 + b"xl/workbook.xml" + b"\0" * 900, "binary", "Excel workbook (xlsx)"),
        (b"PK\x03\x04mimetypeapplication/vnd.oasis.opendocument.spreadsheet", "binary", "LibreOffice"),
        (b"PK\x03\x04word/document.xml", "binary", "Word"),
        (b"PK\x03\x04reviews.csv", "binary", "archive (zip)"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "binary", "Excel workbook (xls)"),
        (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "binary", "PNG"),
        (b"%PDF-1.7\n", "binary", "PDF"),
        (b"\x1f\x8b\x08\0", "binary", "gzip"),
        (b"a,b\n1,\x01\x02\0y\n", "binary", "byte 9 is a NUL"),
        (bytes(random.Random(1).randbytes(5000)), "binary", "not a text file"),
    ],
)
def test_refuses(drop, content, code, says):
    refusal = refused(reader(), drop(content))
    assert refusal.code == code
    assert says in str(refusal)


def test_an_endless_line_is_refused_before_memory_is_full(drop):
    class Small(CsvReader):
        max_cell = 100_000

    refusal = refused(Small(Small.Settings()), drop("a,b\n1," + "x" * 300_000))
    assert (refusal.code, "Line 2 " in str(refusal)) == ("too_long", True)


# --- rows that fail --------------------------------------------------------------------------------------------


def test_a_ragged_row_fails_alone(drop):
    _, records = read(reader(), drop('a,b\n1,2\n1\n\n"x\ny",2,3\n1,2\n'))
    assert [record for record in records if not isinstance(record, BadRow)] == [["1", "2"], ["1", "2"]]
    short, long = bad(records)
    assert (short.values, short.failure.code, short.failure.transient) == (["1"], "ragged", False)
    assert short.failure.message.startswith("Line 3 has 1 cell, but the header has 2.")
    assert long.values == ["x\ny", "2", "3"]
    assert long.failure.message.startswith("Line 5 has 3 cells, but the header has 2.")
    for record in (short, long):
        assert_tells_what_to_do(record.failure.message)


def test_line_numbers_count_the_sep_line(drop):
    _, records = read(reader(), drop("sep=;\na;b\n1\n"))
    assert bad(records)[0].failure.message.startswith("Line 3 ")


def test_a_nul_inside_fails_its_row_alone(drop):
    padding = "".join(f"{number},good\n" for number in range(1_000))
    _, records = read(reader(), drop(f'a,b\n{padding}1,x\0y\n2,"q\n\0\n"\n3,good\n'))
    assert [record.values for record in bad(records)] == [["1", "x\0y"], ["2", "q\n\0\n"]]
    assert [record.failure.message[:11] for record in bad(records)] == ["Line 1,002 ", "Line 1,003 "]
    assert records[-1] == ["3", "good"]
    assert_tells_what_to_do(bad(records)[0].failure.message)


# --- promises --------------------------------------------------------------------------------------------------

CELLS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=20)


@PATIENT
@given(
    table=st.integers(1, 5).flatmap(lambda width: st.lists(st.lists(CELLS, min_size=width, max_size=width), min_size=1))
)
@example(table=[["\ufeff"], ["sep=;"]])
def test_reads_what_the_csv_module_writes(tmp_path_factory, table):
    path = tmp_path_factory.getbasetemp() / "x.csv"
    names = [f"name {position}" for position in range(len(table[0]))]
    assume(not all(is_blank(row) for row in table))
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file, quoting=csv.QUOTE_ALL).writerows([names, *table])
    table = [row for row in table if not is_blank(row)]
    assert read(reader(delimiter=","), path) == (names, table)
    assert read(reader(), path) == (names, table)


@pytest.mark.slow
def test_memory_does_not_grow_with_the_file(drop):
    def peak(rows: int) -> int:
        path = drop("id,text\n" + "".join(f"{number},some words to read\n" for number in range(rows)))
        tracemalloc.start()
        try:
            for _ in reader().read(Source(path, path.name)):
                pass
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    peak(1_000)  # warms up imports and caches
    assert peak(60_000) < peak(6_000) + 200_000


@pytest.mark.slow
def test_rows_are_yielded_before_the_file_is_read_to_its_end(drop):
    path = drop("a,b\n" + "1,2\n" * 200_000 + '3,"open\n')
    assert list(islice(reader().read(Source(path, path.name)), 3)) == [["a", "b"], ["1", "2"], ["1", "2"]]


@pytest.mark.parametrize(
    "settings", [{"encoding": "utf-9"}, {"encoding": "hex"}, {"delimiter": ""}, {"delimiter": ",,"}, {"delimiter": '"'}]
)
def test_settings_are_checked(settings):
    with pytest.raises(ValidationError, match="Write"):
        CsvSettings(**settings)


def test_settings_accept_any_spelling_of_an_encoding():
    assert CsvSettings(encoding="Windows-1258").encoding == "cp1258"
