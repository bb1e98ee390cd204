"""Parameters of Content-Type and Content-Disposition, file names in particular."""

from __future__ import annotations

import pytest

from mailgov.mail.parameters import main_value, parameters, text, token

NAME = "Quyết định số 15.pdf"


@pytest.mark.parametrize(
    ("value", "name"),
    [
        (b"attachment; filename=a.pdf", "a.pdf"),
        (b'attachment; FileName = "a b.pdf"', "a b.pdf"),
        (b'attachment; filename="a;b.pdf"; x=y', "a;b.pdf"),
        (b'attachment; filename="a\\"b.pdf"', 'a"b.pdf'),
        (b'attachment; filename="C:\\dir\\a.pdf"', "C:\\dir\\a.pdf"),
        (b'attachment; filename="C:\\dir\\', "C:\\dir\\"),
        (b'attachment; filename="open.pdf', "open.pdf"),
        ('attachment; filename="Quyết định số 15.pdf"'.encode(), NAME),
        (b'attachment; filename="=?utf-8?Q?Quy=E1=BA=BFt?= =?utf-8?Q?_=C4=91=E1=BB=8Bnh?="', "Quyết định"),
        (b"attachment; filename*=UTF-8''Quy%E1%BA%BFt%20%C4%91%E1%BB%8Bnh%20s%E1%BB%91%2015.pdf", NAME),
        # A continuation may cut a character in two, and come in any order.
        (b"attachment; filename*1*=%BFt.pdf; filename*0*=utf-8'vi'Quy%E1%BA", "Quyết.pdf"),
        (b'attachment; filename*0="long "; filename*1="name.pdf"', "long name.pdf"),
        (b"attachment; filename*0*=utf-8''a%20; filename*1=b%20c", "a b%20c"),
        (b"attachment; filename=plain.pdf; filename*=utf-8''extended.pdf", "extended.pdf"),
        (b"attachment; filename*=nosuch''%E9.pdf", "é.pdf"),
        (b"attachment; filename*=''a.pdf", "a.pdf"),
        (b"attachment; filename*=%ZZ", "%ZZ"),
        (b"attachment; filename*1=orphan", None),
        (b"attachment", None),
        (b"", None),
        (b";;;===\xff", None),
    ],
)
def test_file_names(value: bytes, name: str | None) -> None:
    assert text(parameters(value), b"filename", 255) == name


def test_the_first_of_two_counts() -> None:
    assert token(parameters(b"x; boundary=one; boundary=two"), b"boundary") == b"one"


def test_main_value_and_token() -> None:
    value = b'Multipart/Mixed ;\r\n\tboundary="a b"'
    assert main_value(value) == b"multipart/mixed"
    assert token(parameters(value), b"boundary") == b"a b"
    assert token(parameters(value), b"charset") == b""


def test_boundary_in_continuations() -> None:
    assert token(parameters(b"x; boundary*0=ab; boundary*1=cd"), b"boundary") == b"abcd"
