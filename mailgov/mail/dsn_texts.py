"""What a delivery report says to people: what happened, whose matter it is, what to do now.

Vietnamese first, then English. A text is chosen by the report's action and its status code
(RFC 3463), and by whether a next hop said so or we did, never by the words of a remote server.
"""

from __future__ import annotations

from typing import NamedTuple


class Text(NamedTuple):
    vi: str
    en: str


TITLES = {
    "failed": Text("Thư không gửi được", "Undelivered mail"),
    "delayed": Text("Thư đang bị chậm", "Delayed mail"),
    "expanded": Text("Thư đã tới danh sách", "Mail sent on to a list"),
    "relayed": Text("Thư đã chuyển đi", "Mail passed on"),
    "delivered": Text("Thư đã tới nơi", "Mail delivered"),
}
"""By action, the gravest first: the report bears the title of its gravest recipient."""

DISPLAY_NAME = "Hệ thống thư / Mail Delivery System"

INTRODUCTION = Text(
    "Đây là thông báo tự động về thư của Quý vị (mã thư {queue_id}{arrival}).",
    "This is an automatic report about your message (queue id {queue_id}{arrival}).",
)
ARRIVAL = Text(", nhận lúc {date}", ", received {date}")
LEADS_HERE = Text("(thư ghi gửi tới <{original}>)", "(written to as <{original}>)")
REPLY = Text("Máy chủ{host} trả lời: {reply}", "The server{host} said: {reply}")
NOTED = Text("Hệ thống gửi thư ghi nhận: {reply}", "Our own system noted: {reply}")
SUBJECT = Text("Tiêu đề: {subject}", "Subject: {subject}")
RETRY_UNTIL = Text("Hệ thống tiếp tục thử đến {date}.", "We keep trying until {date}.")
MORE = Text("… và {count} người nhận khác, ghi ở phần dưới.", "… and {count} more recipients, listed below.")
CLOSING = Text(
    "Khi cần giúp đỡ, hãy chuyển tiếp nguyên thông báo này cho bộ phận quản trị thư.",
    "If you need help, forward this whole report to your mail administrators.",
)

UNKNOWN = Text(
    "Nơi nhận không có hộp thư mang địa chỉ này. Thường là do gõ sai địa chỉ, hoặc hộp thư không còn nữa; "
    "hệ thống gửi không có lỗi. Hãy kiểm tra từng chữ của địa chỉ, hỏi lại người nhận rồi gửi lại.",
    "The receiving side has no mailbox of this address. Mostly the address was mistyped or the mailbox is "
    "gone; the sending system is not at fault. Check the address letter by letter, ask the recipient, and "
    "send again.",
)
LED_ON = Text(
    "Địa chỉ đã ghi có thật, nhưng dẫn tới một địa chỉ khác (chuyển tiếp hoặc danh sách) không nhận được "
    "thư. Quý vị không gõ sai; lỗi thuộc nơi đặt chuyển tiếp. Hãy báo người nhận, hoặc bộ phận quản trị thư "
    "của nơi nhận, để họ sửa lại.",
    "The address that was written exists, but leads on to another one (a forward or a list) that takes no "
    "mail. You mistyped nothing; the fault lies where it is forwarded. Tell the recipient, or the mail "
    "administrators there, so that they mend it.",
)
NO_DOMAIN = Text(
    "Tên miền của địa chỉ (phần sau dấu @) không tồn tại hoặc không có máy chủ thư. Thường là do gõ sai. "
    "Hãy kiểm tra phần sau dấu @ rồi gửi lại.",
    "The domain of the address (after the @) does not exist or has no mail server. Mostly it was mistyped. "
    "Check what stands after the @ and send again.",
)
NULL_MX = Text(
    "Tên miền của địa chỉ công bố rằng nó không nhận thư điện tử. Gửi lại cũng không được; hãy hỏi người "
    "nhận một địa chỉ khác.",
    "The domain of the address declares that it takes no mail at all. Sending again will not help: ask the "
    "recipient for another address.",
)
DISABLED = Text(
    "Hộp thư có thật nhưng hiện không nhận thư (bị khóa hoặc tạm dừng). Việc này thuộc nơi nhận; hãy liên "
    "hệ người nhận bằng cách khác.",
    "The mailbox exists but takes no mail at present (locked or suspended). This is up to the receiving "
    "side: reach the recipient in another way.",
)
FULL = Text(
    "Hộp thư của người nhận đã đầy. Việc này thuộc người nhận: hãy báo họ dọn bớt thư, rồi gửi lại.",
    "The recipient's mailbox is full. This is up to the recipient: ask them to make room, then send again.",
)
SIZE = Text(
    "Thư lớn hơn mức nơi nhận cho phép. Hãy nén hoặc chia nhỏ tệp đính kèm, hoặc gửi tài liệu qua hệ thống "
    "quản lý văn bản, rồi gửi lại.",
    "The message is larger than the receiving side allows. Shrink or split the attachments, or send the "
    "document through the document management system, then send again.",
)
POLICY = Text(
    "Nơi nhận từ chối thư theo quy định của họ, chẳng hạn quy định chống thư rác, về an toàn hoặc về quyền "
    "gửi. Gửi lại nguyên thư thường không được. Hãy đọc câu trả lời của máy chủ và báo bộ phận quản trị "
    "thư của cơ quan mình.",
    "The receiving side refused the message by a rule of its own, for instance against spam, on security or "
    "on who may send. Sending it again unchanged seldom helps. Read the server's reply and tell the mail "
    "administrators of your agency.",
)
OUR_POLICY = Text(
    "Hệ thống thư của cơ quan gửi không cho thư này đi, theo quy định về thư công vụ; nơi nhận không từ "
    "chối thư. Dòng trên nêu quy định và cách làm tiếp. Nếu chưa rõ, hãy hỏi bộ phận quản trị thư của cơ "
    "quan mình.",
    "The sending side stopped this message by its rules for official mail; the receiving side did not refuse "
    "it. The line above names the rule and how to go on. If it is unclear, ask the mail administrators of "
    "your agency.",
)
REQUIRETLS = Text(
    "Thư được gửi kèm yêu cầu chỉ đi qua đường truyền mã hóa có xác thực (REQUIRETLS), mà máy chủ nơi nhận "
    "chưa đáp ứng được. Hệ thống đã dừng thư lại để nội dung không đi qua đường không an toàn; nơi nhận "
    "không từ chối thư. Nếu nội dung cho phép, hãy gửi lại không kèm yêu cầu đó; nếu không, hãy dùng cách "
    "khác, chẳng hạn hệ thống quản lý văn bản.",
    "The message was sent with the wish that it travel by proven encryption alone (REQUIRETLS), which the "
    "receiving server does not offer. It was stopped so that nothing goes by an unsafe way; the receiving "
    "side did not refuse it. If its content allows, send it again without that wish; otherwise use another "
    "way, such as the document management system.",
)
SEVEN_BIT = Text(
    "Máy chủ nơi nhận là loại cũ, chỉ nhận thư mã hóa 7 bit (không có 8BITMIME), còn thư này có chữ có dấu "
    "ở dạng 8 bit. Hệ thống không sửa nội dung, vì sửa sẽ làm hỏng chữ ký. Không phải lỗi của Quý vị. Hãy "
    "chọn kiểu mã hóa quoted-printable hoặc base64 trong phần mềm thư rồi gửi lại, hoặc gửi nội dung trong "
    "tệp đính kèm; nếu không biết cách, hãy hỏi bộ phận quản trị thư.",
    "The receiving server is an old one that takes 7-bit mail alone (no 8BITMIME), and this message has "
    "8-bit text. We do not change it, since that would break its signature. It is not your fault. Choose "
    "quoted-printable or base64 in your mail program and send again, or send the text as an attachment; if "
    "you do not know how, ask the mail administrators.",
)
NO_UTF8 = Text(
    "Địa chỉ hoặc phần đầu của thư có chữ có dấu (SMTPUTF8) mà máy chủ nơi nhận không hỗ trợ. Không phải "
    "lỗi của Quý vị. Hãy hỏi người nhận một địa chỉ chỉ gồm chữ không dấu, dùng địa chỉ gửi không dấu, rồi "
    "gửi lại.",
    "An address or the header of the message has letters beyond ASCII (SMTPUTF8), which the receiving server "
    "does not know. It is not your fault. Ask the recipient for an address in plain letters, write from one, "
    "and send again.",
)
NO_HOST = Text(
    "Tên miền của địa chỉ (phần sau dấu @) không có máy chủ thư dùng được. Hãy kiểm tra phần sau dấu @. Nếu "
    "đã đúng thì lỗi thuộc nơi quản lý tên miền đó: hãy báo người nhận bằng cách khác.",
    "The domain of the address (after the @) has no mail server that can be used. Check what stands after "
    "the @. If it is right, the fault is with whoever runs that domain: tell the recipient in another way.",
)
LOOP = Text(
    "Thư bị chuyển vòng giữa các máy chủ nên đã được dừng lại. Đây là lỗi cấu hình, không phải lỗi của Quý "
    "vị. Hãy báo bộ phận quản trị thư.",
    "The message went in circles between servers and was stopped. This is a fault of configuration, not "
    "yours. Tell the mail administrators.",
)
OTHER = Text(
    "Nơi nhận từ chối hẳn thư này. Hãy đọc câu trả lời của máy chủ; nếu không rõ, hãy báo bộ phận quản trị "
    "thư.",
    "The receiving side refused the message for good. Read the server's reply; if it is unclear, tell the "
    "mail administrators.",
)
DELIVERED = Text("Thư đã vào hộp thư của người nhận.", "The message is in the recipient's mailbox.")
RELAYED = Text(
    "Thư đã được giao cho máy chủ của nơi nhận; máy chủ đó không gửi xác nhận nên sẽ không có thông báo nữa.",
    "The message was handed to the recipient's server, which sends no confirmations: no further report "
    "follows.",
)
EXPANDED = Text(
    "Thư đã được gửi tiếp tới các thành viên của danh sách; sẽ không có thông báo cho từng người.",
    "The message was sent on to the members of the list; there is no report for each of them.",
)

# Why it waits, or waited until its time was over.
TROUBLE = Text(
    "Máy chủ nơi nhận hoặc đường mạng tới đó đang có trục trặc; không phải lỗi của Quý vị.",
    "The receiving server or the network on the way is in trouble. It is not your fault.",
)
PUT_OFF = Text(
    "Máy chủ nơi nhận tạm thời chưa nhận thư, vì lý do ghi ở dòng trên; không phải lỗi của Quý vị.",
    "The receiving server does not take the message for now; the line above has its reason. It is not your "
    "fault.",
)
STILL_FULL = Text(
    "Hộp thư của người nhận đang đầy. Việc này thuộc người nhận: hãy báo họ dọn bớt thư.",
    "The recipient's mailbox is full. This is up to the recipient: ask them to make room.",
)
NO_TLS = Text(
    "Máy chủ nơi nhận không có đường truyền mã hóa đủ tin cậy như quy định cho nơi này, nên thư không được "
    "gửi đi. Lỗi thuộc máy chủ nơi nhận, không phải của Quý vị: hãy báo bộ phận quản trị thư.",
    "The receiving server does not offer the trusted encryption that is asked for here, so the message is "
    "not handed to it. The fault is the receiving server's, not yours: tell the mail administrators.",
)
OURS = Text(
    "Hệ thống thư của cơ quan gửi đang có trục trặc, ghi ở dòng trên; không phải lỗi của Quý vị hay của nơi "
    "nhận. Hãy báo bộ phận quản trị thư.",
    "The sending side's own mail system is in trouble; the line above says how. It is neither your fault nor "
    "the receiving side's. Tell the mail administrators.",
)
_REASONS = (TROUBLE, PUT_OFF, STILL_FULL, NO_TLS, OURS)
_WAITS = Text(
    "Thư chưa chuyển được. {reason} Thư vẫn được giữ an toàn và hệ thống tự thử lại; xin đừng gửi lại. Nếu "
    "việc gấp, hãy báo người nhận bằng cách khác.",
    "The message could not be passed on yet. {reason} The message is kept safe and tried again by itself; "
    "please do not send it again. If it is urgent, reach the recipient in another way.",
)
_OVER = Text(
    "Hệ thống đã thử nhiều lần nhưng không chuyển được thư trong thời hạn cho phép. {reason} Hãy gửi lại "
    "sau; nếu gấp, hãy dùng cách khác.",
    "We tried many times but could not pass the message on in the time allowed. {reason} Send it again "
    "later; if it is urgent, use another way.",
)


def _about(frame: Text) -> dict[Text, Text]:
    return {
        reason: Text(frame.vi.format(reason=reason.vi), frame.en.format(reason=reason.en))
        for reason in _REASONS
    }


DELAYED = _about(_WAITS)
EXPIRED = _about(_OVER)
"""By reason."""

_BY_ACTION = {"delivered": DELIVERED, "relayed": RELAYED, "expanded": EXPANDED}
_BY_DETAIL = {
    "1.0": UNKNOWN,
    "1.1": UNKNOWN,
    "1.3": UNKNOWN,
    "1.6": UNKNOWN,
    "1.2": NO_DOMAIN,
    "1.10": NULL_MX,
    "2.1": DISABLED,
    "2.2": FULL,
    "2.3": SIZE,
    "3.4": SIZE,
    "4.4": NO_HOST,
    "4.6": LOOP,
    "6.3": SEVEN_BIT,
    "6.7": NO_UTF8,
    "7.30": REQUIRETLS,
}
_OF_ADDRESSES = frozenset({UNKNOWN, NO_DOMAIN, NULL_MX, DISABLED, NO_HOST})
_BY_DETAIL_OURS = {"7.10": REQUIRETLS}  # a next hop that says it asks for encryption by a rule of its own


def explain(
    action: str, status: str, *, heard: bool = True, cause: str | None = None, led_on: bool = False
) -> Text:
    """The text for a recipient; `status` is X.Y.Z of RFC 3463, of which X does not matter here.

    `heard`: the next hop said so, and not we; `cause` is the status code of what was said last, where
    the message waits or waited too long. `led_on`: the address that was written led to this one.
    """
    if action in _BY_ACTION:
        return _BY_ACTION[action]
    detail = _detail(status)
    if action == "delayed" or detail == "4.7":
        reason = _reason(_detail(cause or status), heard=heard)
        return (DELAYED if action == "delayed" else EXPIRED)[reason]
    text = _BY_DETAIL.get(detail) if heard else _BY_DETAIL_OURS.get(detail, _BY_DETAIL.get(detail))
    if text is None and detail.startswith("7."):
        return POLICY if heard else OUR_POLICY
    if led_on and text in _OF_ADDRESSES:
        return LED_ON
    return text or OTHER


def _detail(status: str) -> str:
    return status.partition(".")[2]


def _reason(detail: str, *, heard: bool) -> Text:
    subject = detail.partition(".")[0]
    if detail == "2.2":
        return STILL_FULL
    if subject == "4":
        return TROUBLE
    if heard:
        return PUT_OFF
    return NO_TLS if detail in {"7.4", "7.5"} else OURS
