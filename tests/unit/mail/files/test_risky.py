"""Which attachments are told, and how: bounded, printable, without what a name could do to its reader."""

from __future__ import annotations

from mailgov.mail.files.risks import look_at_attachments
from mailgov.mail.files.risky import NAME_CHARACTERS, RiskyPart, recorded, shown_name, told
from mailgov.mail.headers import HeaderBlock
from mailgov.mail.mime import look
from tests.support.files import PDF, PE
from tests.unit.mail.files.test_risks import named, part


def test_places_are_those_of_the_parts_that_may_be_files() -> None:
    files = [("a.pdf", PDF), ("b.exe", PE), ("c.pdf", PDF), ("d.pdf", PE)]
    parts = b"".join(part(content, named(name)) for name, content in files)
    data = (
        b'Content-Type: multipart/mixed; boundary="b"\r\n\r\n--b\r\n\r\nKinh gui\r\n' + parts + b"--b--\r\n"
    )
    header = HeaderBlock.scan(data[: data.index(b"\r\n\r\n") + 4])
    risks, found = look_at_attachments(data, look(data, header=header))
    assert risks == ("executable", "disguised")
    assert recorded(found) == ["2/4: executable", "4/4: executable, disguised"]
    assert [one.name for one in found] == ["b.exe", "d.pdf"]


def test_a_name_is_one_short_line_without_signs_that_steer() -> None:
    for hostile in (
        'a\r\nSubject: x"]',
        "\x1b[31m\u202egnp.exe",
        "<script>",
        "x" * 5000 + ".exe",
        "\x00\ud800",
    ):
        name = shown_name(hostile)
        assert name.isprintable()
        assert len(name) <= NAME_CHARACTERS
        assert not set(name) & set('"[]<>\\')
    assert shown_name("x" * 5000 + ".exe").endswith("x.exe")
    assert shown_name("") == shown_name("\x00 ") == ""


def test_the_first_few_are_told_and_how_many_more() -> None:
    many = [RiskyPart(n, 200, ("macro",), f"{n}.xlsm") for n in range(1, 31)]
    assert told(many[:1]) == 'attachment 1 of 200 "1.xlsm" (macro)'
    assert told(many).endswith("; 28 more")
    assert recorded(many)[-2:] == ["10/200: macro", "+20"]
    assert "xlsm" not in "".join(recorded(many))
    assert (told([]), recorded([])) == ("", [])
