"""Bytes to text by a charset that a stranger named; never raises.

Only names on the list below reach Python's codecs: the codec search imports modules by name
and remembers each name for ever, and some codecs (idna, unicode_escape) are not for mail.
VISCII (RFC 1456) and TCVN 5712 have no Python codec and stand here as tables.
"""

from __future__ import annotations

import re

from mailgov.mail.text import nfc

_PYTHON_CODEC = re.compile(
    r"(?:utf-?(?:8|7|16|32)(?:-?[bl]e)?|(?:us-)?ascii|iso-?8859-?\d{1,2}|latin-?1|windows-125\d|cp125\d|koi8-[ru]"
    r"|gb2312|gbk|gb18030|hz-gb-2312|big5(?:-?hkscs)?|shift[_-]jis|euc-(?:jp|kr)|iso-2022-(?:jp|kr)"
    r"|ks_c_5601-1987|tis-620|macintosh)\Z"
)

_ASCII = "".join(map(chr, range(128)))


def _low(**letters: str) -> str:
    """ASCII with some control characters used as letters, named by their code (`x02`)."""
    table = list(_ASCII)
    for code, letter in letters.items():
        table[int(code[1:], 16)] = letter
    return "".join(table)


_VISCII = _low(x02="Ẳ", x05="Ẵ", x06="Ẫ", x14="Ỷ", x19="Ỹ", x1e="Ỵ") + (
    "ẠẮẰẶẤẦẨẬẼẸẾỀỂỄỆỐỒỔỖỘỢỚỜỞỊỎỌỈỦŨỤỲÕắằặấầẩậẽẹếềểễệốồổỗỠƠộờởịỰỨỪỬơớƯ"
    "ÀÁÂÃẢĂẳẵÈÉÊẺÌÍĨỳĐứÒÓÔạỷừửÙÚỹỵÝỡưàáâãảăữẫèéêẻìíĩỉđựòóôõỏọụùúũủýợỮ"
)
_TCVN = _low(
    x01="Ú", x02="Ụ", x04="Ừ", x05="Ử", x06="Ữ", x11="Ứ", x12="Ự", x13="Ỳ", x14="Ỷ", x15="Ỹ", x16="Ý", x17="Ỵ"
) + (
    "ÀẢÃÁẠẶẬÈẺẼÉẸỆÌỈĨÍỊÒỎÕÓỌỘỜỞỠỚỢÙỦŨ\xa0ĂÂÊÔƠƯĐăâêôơưđẰ\u0300\u0309\u0303\u0301\u0323"
    "àảãáạẲằẳẵắẴẮẦẨẪẤỀặầẩẫấậèỂẻẽéẹềểễếệìỉỄẾỒĩíịòỔỏõóọồổỗốộờởỡớợùỖủũúụừửữứựỳỷỹýỵỐ"
)
_TABLES = {
    "viscii": _VISCII,
    "csviscii": _VISCII,
    "viscii1.1-1": _VISCII,
    "tcvn": _TCVN,
    "tcvn-5712": _TCVN,
    "tcvn5712": _TCVN,
    "tcvn5712-1": _TCVN,
    "tcvn5712-1:1993": _TCVN,
    "x-viet-tcvn": _TCVN,
    "x-viet-tcvn5712": _TCVN,
}


def decode_charset(octets: bytes, charset: str) -> str:
    """The text of `octets` in `charset`. Faulty bytes become U+FFFD.

    An unknown charset is tried as UTF-8, then read as Latin-1.
    """
    name = charset.strip().lower()
    if name in ("utf-8", "utf8"):
        return octets.decode("utf-8", "replace")
    if table := _TABLES.get(name):
        return nfc(octets.decode("latin-1").translate(table))
    if _PYTHON_CODEC.match(name):
        try:
            return octets.decode(name, "replace")
        except (LookupError, UnicodeError):  # iso8859-12 does not exist; utf-7 can refuse to replace
            pass
    return decode_unlabelled(octets, "latin-1")


def decode_unlabelled(octets: bytes, otherwise: str = "cp1258") -> str:
    """Raw 8-bit text: UTF-8 when it is that, a stray byte or two apart, else `otherwise`, else Latin-1."""
    try:
        return octets.decode("utf-8")
    except UnicodeDecodeError:
        lenient = octets.decode("utf-8", "replace")
    if _mostly_sound(lenient):
        return lenient
    try:
        return octets.decode(otherwise)
    except UnicodeDecodeError:
        return octets.decode("latin-1")


def _mostly_sound(text: str) -> bool:
    """Whether a lenient reading of UTF-8 found more letters than faults.

    One stray byte among good letters leaves them what they are, as every reader shows them; of
    single-byte text hardly two octets in a row make a letter, so it has a fault for nearly each.
    """
    faults = text.count("\ufffd")
    letters = len(text.encode()) - 3 * faults - sum(character < "\x80" for character in text)
    return letters > 2 * faults
