"""What every page has: its language, its own files and nothing else, errors that people can read."""

from __future__ import annotations

import re

import httpx2
import pytest

from tests.unit.api.conftest import Api
from tests.unit.api.world import DECISION


def language(answer: httpx2.Response) -> str:
    found = re.search(r'<html lang="(\w+)">', answer.text)
    assert found is not None
    return found[1]


@pytest.mark.parametrize(
    ("query", "header", "expected"),
    [
        ("", None, "vi"),
        ("?lang=en", None, "en"),
        ("?lang=vi", "en", "vi"),
        ("?lang=xx", None, "vi"),
        ("", "en-GB,en;q=0.9", "en"),
        ("", "en-US,en;q=0.9,vi;q=0.8", "vi"),
        ("", "fr", "vi"),
        ("", "en;q=0", "vi"),
        ("", ";;;,=,q=x" * 1000, "vi"),
    ],
)
async def test_a_page_is_vietnamese_unless_english_is_asked_for(
    filled: Api, query: str, header: str | None, expected: str
) -> None:
    headers = {} if header is None else {"Accept-Language": header}
    answer = await filled.ask.get(f"/why/{DECISION}{query}", headers=headers)
    assert language(answer) == expected
    assert "Cookie" in answer.headers["vary"]
    assert "set-cookie" not in answer.headers


async def test_the_stylesheet_is_ours_and_kept_until_it_changes(filled: Api) -> None:
    page = (await filled.ask.get(f"/why/{DECISION}")).text
    files = re.findall(r'href="(/static/[^"]+)"', page)
    assert {path.partition("?")[0] for path in files} == {"/static/mailgov.css", "/static/icon.svg"}
    for path in files:
        answer = await filled.ask.get(path)
        assert answer.status_code == 200
        assert answer.headers["content-type"] in ("text/css; charset=utf-8", "image/svg+xml")
        assert "immutable" in answer.headers["cache-control"]
        assert (await filled.ask.get(path.partition("?")[0])).headers["cache-control"] == "no-cache"
        assert not re.search(rb"url\(|@import|<script|http(?!://www\.w3\.org/2000/svg)", answer.content)


@pytest.mark.parametrize("name", ["nothing.css", "..%2Frender.py", "%2e%2e", "mailgov.css%00"])
async def test_no_other_file_is_given_out(api: Api, name: str) -> None:
    assert (await api.ask.get(f"/static/{name}")).status_code == 404


async def test_an_error_on_a_page_is_a_page(api_away: httpx2.AsyncClient) -> None:
    answer = await api_away.get(f"/why/{DECISION}?lang=en")
    assert (answer.status_code, language(answer)) == (503, "en")
    assert "Mail is not affected" in answer.text
