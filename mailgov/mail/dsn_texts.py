"""What a delivery report says to people: what happened, whose matter it is, what to do now.

Vietnamese first, then English. A text is chosen by the report's action and its status code
(RFC 3463), never by the words of a remote server.
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
REPLY = Text("Máy chủ{host} trả lời: {reply}", "The server{host} said: {reply}")
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
EXPIRED = Text(
    "Hệ thống đã thử nhiều lần nhưng không chuyển được thư trong thời hạn cho phép: máy chủ nơi nhận hoặc "
    "đường mạng tới đó có sự cố. Không phải lỗi của Quý vị. Hãy gửi lại sau; nếu gấp, hãy dùng cách khác.",
    "We tried many times but could not pass the message on in the time allowed: the receiving server or the "
    "network on the way is in trouble. It is not your fault. Send again later; if it is urgent, use another "
    "way.",
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
DELAYED = Text(
    "Thư chưa chuyển được vì máy chủ nơi nhận hoặc đường mạng tới đó đang có trục trặc; không phải lỗi của "
    "Quý vị. Thư vẫn được giữ an toàn và hệ thống tự thử lại. Quý vị không cần làm gì; xin đừng gửi lại. Nếu "
    "việc gấp, hãy báo người nhận bằng cách khác.",
    "The message could not be passed on yet: the receiving server or the network on the way is in trouble. "
    "It is not your fault. The message is kept safe and tried again by itself. You need not do anything; "
    "please do not send it again. If it is urgent, reach the recipient in another way.",
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

_BY_ACTION = {"delayed": DELAYED, "delivered": DELIVERED, "relayed": RELAYED, "expanded": EXPANDED}
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
    "4.6": LOOP,
}
_BY_SUBJECT = {"4": EXPIRED, "7": POLICY}


def explain(action: str, status: str) -> Text:
    """The text for a recipient; `status` is X.Y.Z of RFC 3463, of which X does not matter here."""
    if action in _BY_ACTION:
        return _BY_ACTION[action]
    _, _, detail = status.partition(".")
    return _BY_DETAIL.get(detail) or _BY_SUBJECT.get(detail.partition(".")[0]) or OTHER
