"""What a file's name says it is, as Windows takes it, and whether the name deceives."""

from __future__ import annotations

import re
from collections.abc import Iterable

NAME_CHARACTERS = 1000
PROGRAMS = frozenset(
    """
    accda accde accdu ade adp apk appinstaller application appref-ms appx appxbundle chm class com cpl
    crx deb dex dll dmg drv efi exe gadget hlp jar jnlp lnk mda mde mdw mdz msi msix msixbundle msp
    mst msu ocx ops pif pkg rpm scr sys vsto wll xbap xll
    """.split()  # noqa: SIM905 - a list of so many quotes reads worse
)
"""Run, or load code, when they are opened."""
SCRIPTS = frozenset(
    """
    ahk applescript bash bat cmd command contact csh desktop diagcab diagcfg fileloc hpj hta htc
    inetloc inf ins iqy isp its job js jse ksh library-ms mad maf mag mam maq mas mau mav maw mcf mjs
    msc msh msh1 msh1xml msh2 msh2xml mshxml osd pcd php plg prg printerexport ps1 ps1xml ps2 ps2xml
    psc1 psc2 psd1 psdm1 psm1 py pyc pyo pyw pyz pyzw rdp reg scf scpt scptd sct search-ms
    searchconnector-ms settingcontent-ms sh shb shs slk terminal theme udl url vb vbe vbp vbs vsmacros
    vsw webloc webpnp website workflow ws wsb wsc wsf wsh xnk zsh
    """.split()  # noqa: SIM905 - a list of so many quotes reads worse
)
"""Run by an interpreter when they are opened, or lead to something that is."""
DOCUMENTS = frozenset(
    """
    7z avi bmp csv doc docm docx eml gif gz heic htm html ics jpeg jpg m4a mov mp3 mp4 msg odp
    ods odt pdf png pps ppsx ppt pptm pptx rar rtf svg tif tiff txt wav webp xls xlsb xlsm xlsx
    xml zip
    """.split()  # noqa: SIM905 - a list of so many quotes reads worse
)
"""What people send each other: a second extension behind one of these is there to deceive."""
ARCHIVES = frozenset(
    """
    7z ace alz arj bz2 cab egg gz hqx lha lz lzh lzma r00 r01 rar tar tbz tbz2 tgz txz tzst uu uue wim
    xxe xz z zip zst
    """.split()  # noqa: SIM905 - a list of so many quotes reads worse
)
"""Opened by programs that unpack, which look for the beginning behind whatever stands first."""
IMAGES = frozenset({"img", "iso", "udf", "vhd", "vhdx"})
"""Of disks, which Windows opens as folders; they are not looked into."""

_DIRECTION = re.compile("[\u202a-\u202e\u2066-\u2069]")
"""Marks that turn the reading direction: "hoadon\u202efdp.exe" is shown as "hoadonexe.pdf"."""
_UNSEEN = re.compile("[\u00ad\u200b-\u200f\u2060-\u2064\ufeff]")
_DOTS = re.compile("[\u2024\u3002\uff0e\uff61]")
"""Taken for dots where a name is brought into an older character set."""
_ENDS = " .\t\r\n\u00a0\u3000/\\\"'\u2018\u2019\u201c\u201d"
"""Windows or a mail program drops what stands of these at the end of a name."""
_CLASS = re.compile(r"\{[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\}")
"""An extension that Windows opens by this class, and does not show."""
_STREAM = re.compile(r":(?=[^\s:/\\]|:\$)")
"""What follows names a stream of the file on NTFS: `a.exe::$DATA` is a.exe."""


def extensions(name: str) -> tuple[str, ...]:
    """The last two extensions in small letters, the last one first, without blanks around them."""
    base = _DOTS.sub(".", _UNSEEN.sub("", _DIRECTION.sub("", name[-NAME_CHARACTERS:])))
    base = base.rstrip(_ENDS).replace("\\", "/").rpartition("/")[2]
    parts = [part.strip(_ENDS).lower() for part in base.split(".")[-3:]]
    return tuple(reversed(parts[1:]))


def readings(name: str) -> tuple[str, ...]:
    """The name as it may be taken: whole, up to a NUL, where some programs end it, and without a stream."""
    whole = name.replace("\0", "")
    found = {whole: None, name.partition("\0")[0]: None}
    for reading in tuple(found):
        base = reading.replace("\\", "/").rstrip("/").rpartition("/")[2]
        found[_STREAM.split(base, maxsplit=1)[0] if base[1:2] != ":" else reading] = None
    return tuple(found)


def is_script(extension: str) -> bool:
    """Whether a file with this extension (in small letters) is run, or leads to what is."""
    return extension in SCRIPTS or _CLASS.fullmatch(extension) is not None


def packs(names: Iterable[str]) -> bool:
    """Whether a program that unpacks would be given a file with one of these names."""
    return any(not ARCHIVES.isdisjoint(extensions(name)[:1]) for name in names)


def deceives(name: str) -> bool:
    """Whether it is shown as another kind of file than it is: `hoadon.pdf.exe`, or turned letters."""
    found = extensions(name)
    harmful = bool(found) and (found[0] in PROGRAMS or is_script(found[0]))
    return harmful and (bool(_DIRECTION.search(name)) or (len(found) > 1 and found[1] in DOCUMENTS))
