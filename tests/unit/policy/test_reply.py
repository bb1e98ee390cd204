from __future__ import annotations

from dataclasses import replace

import pytest

from mailgov.policy import Decision, Stage, render_reply, without_marks

ID = "0123456789abcdef0123456789abcdef"
REJECTED = Decision(
    id=ID,
    stage=Stage.RCPT,
    outcome="reject",
    policy_hash="h",
    rule="cold-free-mail",
    document="cao-bang",
    citation="Chỉ thị 10/CT-UBND",
    article="mục 1b",
    mode="enforce",
    status="5.7.1",
    text_vi="Địa chỉ này không nhận thư. Xin gửi “nơi khác”…",
    text_en="No.",
)


def test_the_line_names_rule_article_and_decision() -> None:
    reply = render_reply(REJECTED, utf8=True, public_url="https://thu.example/")
    assert reply.line() == (
        f"550 5.7.1 Địa chỉ này không nhận thư. Xin gửi “nơi khác”… https://thu.example/why/{ID}"
        f" [rule cold-free-mail; Chỉ thị 10/CT-UBND mục 1b; decision {ID}]"
    )


def test_of_what_is_not_kept_the_page_of_the_rule_is_named() -> None:
    reply = render_reply(REJECTED, utf8=True, public_url="https://thu.example/", kept=False)
    assert reply.line() == (
        "550 5.7.1 Địa chỉ này không nhận thư. Xin gửi “nơi khác”… https://thu.example/why/rule/cold-free-mail"
        " [rule cold-free-mail; Chỉ thị 10/CT-UBND mục 1b]"
    )


def test_without_smtputf8_it_is_vietnamese_without_marks() -> None:
    reply = render_reply(REJECTED, utf8=False, public_url="https://thu.example")
    assert reply.line() == (
        f'550 5.7.1 Dia chi nay khong nhan thu. Xin gui "noi khac"... https://thu.example/why/{ID}'
        f" [rule cold-free-mail; Chi thi 10/CT-UBND muc 1b; decision {ID}]"
    )


def test_without_marks_maps_the_letter_that_has_no_mark() -> None:
    assert without_marks("Đường dây đã HỎA TỐC; Hoả, hoà – ươ 漢") == "Duong day da HOA TOC; Hoa, hoa - uo ?"


@pytest.mark.parametrize("utf8", [True, False])
def test_the_text_is_cut_and_the_bracket_stays(utf8: bool) -> None:
    long = replace(REJECTED, text_vi="đường dây nóng " * 60)
    line = render_reply(long, utf8=utf8, public_url="https://thu.example").line()
    assert len(line.encode()) + 2 <= 512
    assert len(line.encode()) > 490
    assert f" ... https://thu.example/why/{ID} [rule " in line
    assert line.endswith(f"; decision {ID}]")


def test_a_link_that_does_not_fit_is_left_out() -> None:
    line = render_reply(REJECTED, utf8=True, public_url="https://" + "x" * 500).line()
    assert line.startswith("550 5.7.1 Địa chỉ này không nhận thư.")
    assert "/why/" not in line
    assert line.endswith(f"; decision {ID}]")


def test_whoever_may_be_abroad_reads_english_too() -> None:
    reply = render_reply(REJECTED, utf8=False, public_url="https://thu.example", kept=False, abroad=True)
    assert reply.text.startswith(
        'Dia chi nay khong nhan thu. Xin gui "noi khac"... / No. https://thu.example/'
    )
    silent = replace(REJECTED, text_en=None)
    assert " / " not in render_reply(silent, utf8=False, public_url="", kept=False, abroad=True).text


@pytest.mark.parametrize(("vi", "en"), [(30, 30), (60, 3), (3, 60), (1, 60)])
def test_two_texts_that_do_not_fit_share_the_room(vi: int, en: int) -> None:
    both = replace(REJECTED, text_vi="duong day nong " * vi, text_en="a hot line there " * en)
    reply = render_reply(both, utf8=False, public_url="https://thu.example", kept=False, abroad=True)
    assert 440 < len(reply.line().encode()) + 2 <= 512
    first, second = reply.text.partition(" https://")[0].split(" / ")
    assert len(first) >= min(14 * vi, 120)
    assert len(second) >= min(16 * en, 120)


def test_line_ends_never_reach_the_wire() -> None:
    hostile = replace(REJECTED, text_vi="a\r\n250 b\x00", citation="c\nd")
    assert render_reply(hostile, utf8=True, public_url="u").text.startswith("a 250 b u/why/")
    assert "c d" in render_reply(hostile, utf8=False, public_url="u").text


def test_an_acceptance_has_no_rejection() -> None:
    with pytest.raises(ValueError, match="rejects nothing"):
        render_reply(replace(REJECTED, outcome="accept"), utf8=True, public_url="u")
