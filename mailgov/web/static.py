"""`/static/…`: the stylesheet and the icon, read once from the package. Nothing comes from elsewhere."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from fastapi import APIRouter
from starlette.exceptions import HTTPException
from starlette.responses import Response

MEDIA_TYPES = {".css": "text/css; charset=utf-8", ".svg": "image/svg+xml"}
MAX_AGE_S = 31_536_000
"""A year: a changed file has another address."""

router = APIRouter(include_in_schema=False)


@dataclass(frozen=True, slots=True)
class StaticFile:
    """A file of ours with its media type and the start of its SHA-256."""

    content: bytes
    media_type: str
    mark: str


@cache
def static_files() -> dict[str, StaticFile]:
    """All of them by name; an unknown name never reaches the file system."""
    found = {}
    for path in files("mailgov.web").joinpath("static").iterdir():
        suffix = "." + path.name.rpartition(".")[2]
        if suffix in MEDIA_TYPES:
            content = path.read_bytes()
            mark = hashlib.sha256(content).hexdigest()[:12]
            found[path.name] = StaticFile(content, MEDIA_TYPES[suffix], mark)
    return found


def static_url(name: str) -> str:
    """The address of a file, another one whenever its content is another. KeyError for an unknown name."""
    return f"/static/{name}?v={static_files()[name].mark}"


@router.get("/static/{name}")
async def static(name: str, v: str = "") -> Response:
    """A file; for good under the address that `static_url` gives, for the moment under any other."""
    found = static_files().get(name)
    if found is None:
        raise HTTPException(404)
    kept = f"public, max-age={MAX_AGE_S}, immutable" if v == found.mark else "no-cache"
    return Response(found.content, headers={"Cache-Control": kept}, media_type=found.media_type)
