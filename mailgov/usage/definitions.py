"""What each count means, in both languages, and the article that asks for it.

A definition's hash is published with every figure: two reports compare only where the hashes
are equal. Change a text here when, and only when, what is counted changes.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

_DOCUMENTS = {
    "bac-giang": "Chỉ thị 07/CT-UBND (tỉnh Bắc Giang, 04/08/2009)",
    "bac-ninh": "Chỉ thị 06/CT-UBND (tỉnh Bắc Ninh, 19/04/2019)",
    "binh-dinh": "Quyết định 647/QĐ-UBND (tỉnh Bình Định, 23/11/2012)",
    "phu-tho": "Chỉ thị 16/2009/CT-UBND (tỉnh Phú Thọ, 23/09/2009)",
}
_CAO_BANG = "Chỉ thị {} (tỉnh Cao Bằng, về văn bản điện tử)"
_NO_NUMBER = "chưa nhập số"
"""The text at hand carries no number: a setting supplies it, and nothing is made up."""


@dataclass(frozen=True)
class Definition:
    """One count. `articles` are (document's key, article) pairs, the first one leading."""

    id: str
    heading_vi: str
    heading_en: str
    text_vi: str
    text_en: str
    articles: tuple[tuple[str, str], ...]

    @cached_property
    def hash(self) -> str:
        """SHA-256 (hex) of what is counted: id, both texts and the articles."""
        named = [self.id, self.text_vi, self.text_en, self.articles]
        return hashlib.sha256(json.dumps(named, ensure_ascii=False).encode()).hexdigest()

    def to_json(self, numbers: Mapping[str, str]) -> dict[str, Any]:
        """As reports carry it; `numbers` are the document numbers that settings supply."""
        return {
            "id": self.id,
            "text": {"vi": self.text_vi, "en": self.text_en},
            "articles": [
                {"directive": key, "document": document(key, numbers), "article": article}
                for key, article in self.articles
            ],
            "definition_hash": self.hash,
        }


def document(key: str, numbers: Mapping[str, str]) -> str:
    """How a document is cited; the one of Cao Bằng by the number of the settings, when there is one."""
    return _DOCUMENTS.get(key) or _CAO_BANG.format(numbers.get(key, f"({_NO_NUMBER})"))


SENT = Definition(
    "sent_messages",
    "Thư gửi",
    "Sent",
    "Thư do tài khoản của cơ quan gửi và được hệ thống nhận chuyển, kể cả thư tự động; mỗi thư tính một lần, "
    "vào ngày nhận chuyển, cho cơ quan của tài khoản vào lúc gửi.",
    "Messages of the agency's accounts that were accepted, automatic ones included; each counts once, on the "
    "day of acceptance, for the agency that the account belonged to when it sent.",
    (("bac-giang", "mục I.1a"), ("cao-bang", "mục 1b")),
)
AUTOMATIC = Definition(
    "automatic_messages",
    "Tự động",
    "Automatic",
    "Trong số thư gửi: thư do máy tạo (trả lời tự động, báo đã đọc, gửi hàng loạt); không tính là sử dụng.",
    "Of the messages sent, those made by a program (automatic replies, read receipts, bulk mail); they are "
    "no use of mail by a person.",
    (("phu-tho", "mục 1"),),
)
TO_OTHERS = Definition(
    "messages_to_others",
    "Cho người khác",
    "To others",
    "Trong số thư gửi: thư có ít nhất một người nhận không phải chính tài khoản gửi.",
    "Of the messages sent, those with at least one recipient other than the account itself.",
    (("bac-giang", "mục I.1a"),),
)
RECIPIENTS = Definition(
    "recipients",
    "Lượt người nhận",
    "Recipients",
    "Tổng số người nhận của thư gửi, sau khi mở danh sách và bí danh.",
    "All recipients of the messages sent, after lists and aliases were expanded.",
    (("cao-bang", "mục 1b"),),
)
RECEIVED = Definition(
    "received_messages",
    "Thư nhận",
    "Received",
    "Lượt thư đã phát vào hộp thư của cơ quan, từ trong và ngoài tỉnh, vào ngày phát.",
    "Deliveries into the agency's mailboxes, from inside and outside the province, on the day of delivery.",
    (("bac-giang", "mục I.1a"), ("cao-bang", "mục 1b")),
)
ACCOUNTS = Definition(
    "accounts_that_sent",
    "Tài khoản gửi",
    "Accounts",
    "Số tài khoản, mọi loại, đã gửi ít nhất một thư; tài khoản chuyển cơ quan trong kỳ được tính ở mỗi cơ "
    "quan nơi đã gửi, nhưng chỉ một lần cho toàn tỉnh.",
    "Accounts of any kind that sent at least one message; one that moved counts at each agency that it sent "
    "from, but once for the province.",
    (("cao-bang", "mục 3b"),),
)
ACTIVE = Definition(
    "active_persons",
    "Người dùng thường xuyên",
    "Active persons",
    "Người giữ tài khoản cá nhân, trong mỗi tháng của kỳ, đều gửi ít nhất một thư không tự động cho người "
    "khác; tính cho cơ quan nơi làm việc vào ngày cuối kỳ (kỳ chưa hết: ngày lập báo cáo, và chỉ các tháng "
    "đã bắt đầu).",
    "Holders of a personal account who, in each month of the period, sent at least one message that was not "
    "automatic to another person; counted for the agency served on the period's last day (in a running "
    "period: on the day of the report, and over the months that have begun).",
    (("phu-tho", "mục 1"), ("binh-dinh", "Điều 1, mục 1b"), ("cao-bang", "mục 3b")),
)
PERSONS = Definition(
    "persons_that_sent",
    "Người có gửi",
    "Persons that sent",
    "Như trên nhưng chỉ cần một thư trong cả kỳ: con số rộng hơn, để đối chiếu.",
    "As above, but one such message in the whole period is enough: the looser figure, for comparison.",
    (("phu-tho", "mục 1"),),
)

OUTBOUND = Definition(
    "outbound_by_provider",
    "Gửi ra ngoài theo nơi đặt hộp thư",
    "Outside recipients by provider",
    "Người nhận ngoài tên miền của tỉnh mà thư gửi tới được nhận chuyển, mỗi người một lần cho mỗi thư, sau "
    "khi mở danh sách và chuyển tiếp, dù sau đó có phát được hay không; xếp theo nơi đặt hộp thư như đã biết "
    "lúc nhận chuyển (free: miễn phí, ở nước ngoài; paid-foreign: nước ngoài, trả phí hoặc không rõ; "
    "domestic: trong nước; gateway: sau cổng lọc; unknown: không tra được), về sau không đổi. Tính vào ngày "
    "nhận chuyển, cho cơ quan của tài khoản gửi; thư từ ngoài đi tiếp qua danh sách, chuyển tiếp của tỉnh "
    "không thuộc cơ quan nào. Không kể thông báo do hệ thống tự lập.",
    "Recipients outside the province's domains of messages that were accepted, each once per message, after "
    "lists and forwards were expanded, whether or not it was delivered later; by who hosts their mail as "
    "known at acceptance (free: free and abroad; paid-foreign: abroad, paid or not known to be free; "
    "domestic; gateway: behind a filter; unknown: could not be told), which is never moved afterwards. "
    "Counted on the day of acceptance, for the agency of the account that sent; mail from outside that a "
    "list or forward of the province passes on belongs to no agency. Notices that the service makes itself "
    "are left out.",
    (("cao-bang", "mục 1b"),),
)
REJECTED = Definition(
    "rejected_by_rule",
    "Thư bị từ chối theo quy tắc",
    "Rejections by rule",
    "Lần từ chối theo chính sách có hồ sơ, mỗi hồ sơ một lần, theo quy tắc đã từ chối (nhiều người nhận bị "
    "từ chối riêng trong một hồ sơ: quy tắc của người đầu), vào ngày từ chối, cho cơ quan của tài khoản. Thư "
    "dừng vì dấu độ mật không thuộc cơ quan nào vì hồ sơ không lưu cơ quan. Không kể quy tắc đang theo dõi "
    "thử, người nhận bị loại khỏi một thư đã được nhận chuyển, và thư từ ngoài bị từ chối ngay khi kết nối.",
    "Policy rejections that have a record, each record once, by the rule that rejected (where recipients of "
    "one record were rejected one by one: the first one's), on the day of the rejection, for the account's "
    "agency. Stops for a secrecy mark belong to no agency, for their record keeps none. Left out: rules in "
    "monitor mode, recipients left out of a message that was accepted, and mail from outside refused at the "
    "door.",
    (("cao-bang", "mục 1b"),),
)

COUNTS = (SENT, AUTOMATIC, TO_OTHERS, RECIPIENTS, RECEIVED, ACCOUNTS, ACTIVE, PERSONS)
"""In the order of a report's columns."""
TABLES = (OUTBOUND, REJECTED)
"""Counts by kind, each a small table of a report."""
DEFINITIONS = (*COUNTS, *TABLES)
