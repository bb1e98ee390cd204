"""Other providers' reports about mail in our name, and the mail that brings them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from email.message import EmailMessage
from email.policy import SMTP

BEGIN_S, END_S = 1_793_664_000, 1_793_750_399
_HEAD = """<?xml version="1.0" encoding="UTF-8"?>
<feedback><version>1.0</version><report_metadata><org_name>{reporter}</org_name><email>dmarc@example.net</email>
<report_id>{report_id}</report_id><date_range><begin>{begin}</begin><end>{end}</end></date_range></report_metadata>
<policy_published><domain>caobang.gov.vn</domain><adkim>r</adkim><p>reject</p></policy_published>
"""
_RECORD = """<record><row><source_ip>{}</source_ip><count>{}</count><policy_evaluated>
<disposition>{}</disposition><dkim>{}</dkim><spf>{}</spf></policy_evaluated></row><identifiers><header_from>CaoBang.gov.vn</header_from>
</identifiers><auth_results><dkim><domain>caobang.gov.vn</domain><result>pass</result></dkim></auth_results>
</record>"""


def dmarc(
    rows: Sequence[tuple[str, str, str, str, str]],
    *,
    reporter: str = "Example Mail",
    report_id: str = "a-1",
    begin_s: int = BEGIN_S,
) -> bytes:
    """An aggregate report of these records: source, count, disposition, DKIM, SPF."""
    head = _HEAD.format(reporter=reporter, report_id=report_id, begin=begin_s, end=begin_s + END_S - BEGIN_S)
    return (head + "".join(_RECORD.format(*row) for row in rows) + "</feedback>").encode()


DMARC = dmarc([("192.0.2.7", "3", "none", "pass", "fail"), ("2001:DB8::1", "1", "reject", "fail", "fail")])


def tls(*, begin: str = "2026-11-03T00:00:00Z", end: str = "2026-11-03T23:59:59Z") -> bytes:
    """A report by TLS-RPT of one policy, and a failure without details for another."""
    policy = {"policy-type": "sts", "policy-string": ["version: STSv1"], "policy-domain": "caobang.gov.vn"}
    failed = {
        "result-type": "certificate-expired", "sending-mta-ip": "192.0.2.9",
        "receiving-mx-hostname": "mx1.caobang.gov.vn", "failed-session-count": 100,
    }  # fmt: skip
    report = {
        "organization-name": "Example Mail",
        "date-range": {"start-datetime": begin, "end-datetime": end},
        "contact-info": "tls@example.net",
        "report-id": "t-1",
        "policies": [
            {
                "policy": policy,
                "summary": {"total-successful-session-count": 5326, "total-failure-session-count": 100},
                "failure-details": [failed],
            },
            {"policy": policy, "summary": {"total-failure-session-count": 3}},
        ],
    }
    return json.dumps(report).encode()


TLS = tls()


def bearing(kind: str, content: bytes, *, alone: bool = False, times: int = 1) -> bytes:
    """A message with this content attached, or (`alone`) that is nothing else."""
    mail = EmailMessage(policy=SMTP)
    mail["From"], mail["To"], mail["Subject"] = "dmarc@example.net", "dmarc@caobang.gov.vn", "Report Domain"
    main, _, sub = kind.partition("/")
    if alone:
        mail.set_content(content, main, sub, cte="base64", filename="report")
    else:
        mail.set_content("This is an aggregate report.")
        for _ in range(times):
            mail.add_attachment(content, main, sub, cte="base64", filename="report")
    return mail.as_bytes()
