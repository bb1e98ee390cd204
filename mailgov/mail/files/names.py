"""What a file's name says it is, as Windows takes it, and whether the name deceives."""

from __future__ import annotations

import re

NAME_CHARACTERS = 1000
PROGRAMS = frozenset(
    """
    apk application appref-ms appx appxbundle chm class com cpl deb dex dll dmg drv efi exe
    gadget hlp jar jnlp lnk msi msix msixbundle msp mst ocx pif pkg rpm scr sys wll xll
    """.split()  # noqa: SIM905 - a list of so many quotes reads worse
)
"""Run, or load code, when they are opened."""
SCRIPTS = frozenset(
    """
    bash bat cmd command csh desktop diagcab hta inf ins isp job js jse library-ms mjs msc msh
    msh1 msh2 mshxml ps1 ps1xml ps2 psc1 psd1 psm1 py pyw pyz reg scf sct search-ms
    settingcontent-ms sh shb shs url vb vbe vbs website ws wsc wsf wsh zsh
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
IMAGES = frozenset({"img", "iso", "udf", "vhd", "vhdx"})
"""Of disks, which Windows opens as folders; they are not looked into."""

_DIRECTION = re.compile("[\u202a-\u202e\u2066-\u2069]")
"""Marks that turn the reading direction: "hoadon\u202efdp.exe" is shown as "hoadonexe.pdf"."""
_UNSEEN = re.compile("[\u00ad\u200b-\u200f\u2060-\u2064\ufeff]")
_ENDS = " .\t\r\n\u00a0\u3000"
"""Windows drops what stands of these at the end of a name."""


def extensions(name: str) -> tuple[str, ...]:
    """The last two extensions in small letters, the last one first, without blanks around them."""
    base = _UNSEEN.sub("", _DIRECTION.sub("", name[-NAME_CHARACTERS:]))
    base = base.replace("\\", "/").rpartition("/")[2].rstrip(_ENDS)
    parts = [part.strip(_ENDS).lower() for part in base.split(".")[-3:]]
    return tuple(reversed(parts[1:]))


def readings(name: str) -> tuple[str, ...]:
    """The name as it may be taken: whole, and up to a NUL, where some programs end it."""
    whole = name.replace("\0", "")
    return (whole,) if whole == name else (whole, name.partition("\0")[0])


def deceives(name: str) -> bool:
    """Whether it is shown as another kind of file than it is: `hoadon.pdf.exe`, or turned letters."""
    found = extensions(name)
    harmful = bool(found) and found[0] in PROGRAMS | SCRIPTS
    return harmful and (bool(_DIRECTION.search(name)) or (len(found) > 1 and found[1] in DOCUMENTS))
