"""What the indicators of documents count. Change a text when, and only when, that changes."""

from __future__ import annotations

from mailgov.usage.definitions import Definition

BG_DOCUMENTS = Definition(
    "bg.electronic-documents",
    "Văn bản điện tử",
    "Electronic documents",
    "Tử số: văn bản gửi và nhận qua thư, cộng văn bản chỉ qua hệ thống quản lý văn bản do văn thư khai. "
    "Mẫu số: tử số cộng văn bản chỉ bằng giấy do văn thư khai; văn bản gửi song song được nêu bên cạnh, "
    "không cộng. Văn bản qua thư: cơ quan ban hành + số ký hiệu + năm dương lịch, tính một lần vào ngày "
    "gửi đầu tiên, và một lần cho mỗi cơ quan khác vào ngày đầu tiên tới hộp thư của cơ quan ấy; không có "
    "số ký hiệu: chuỗi thư và nội dung tệp đính kèm. Cơ quan ban hành là cơ quan của hộp thư ghi ở dòng "
    "Từ. Thư không nhận ra loại văn bản, thư trả lời, chuyển tiếp, thư tự động và thư bị từ chối không "
    "tính. Toàn tỉnh chỉ tính văn bản gửi, và chỉ khi mọi cơ quan đã khai.",
    "Numerator: documents sent and received by mail, and those by document management alone that the "
    "clerk declares. Denominator: the numerator and the documents on paper alone that the clerk declares; "
    "what went in parallel is told beside it and never added. A document by mail is its issuing agency, "
    "symbol and calendar year; it counts once, on the day it was first sent, and once for each other "
    "agency, on the day it first reached one of its mailboxes; without a symbol: the conversation and "
    "the contents of the attachments. The issuing agency is that of the mailbox in From. Messages of no "
    "known class, replies, forwards, automatic mail and rejected mail do not count. The province counts "
    "sent documents alone, and only when every agency has declared.",
    (("bac-giang", "mục I.1a"),),
)
PT_MEETINGS = Definition(
    "pt.meeting-documents",
    "Văn bản phục vụ họp của UBND tỉnh",
    "Meeting documents of the committee",
    "Mẫu số: các văn bản khác nhau trong sổ phát hành của UBND tỉnh do văn thư khai cho đúng kỳ (giấy mời, "
    "lịch công tác, thông báo, tài liệu họp, công văn mời họp), trừ văn bản mật và nơi đã có hệ thống điện "
    "tử khác. Tử số: những văn bản trong đó đã gửi qua thư với tư cách UBND tỉnh trong năm ban hành, "
    "đối chiếu theo số ký hiệu; không có số ký hiệu, hoặc gửi sang năm sau, thì theo mã thư do văn thư ghi. "
    "Số của giấy mời và thông báo phải liên tục, trừ số của văn bản mật: còn thiếu số thì "
    "không kết luận là đạt. "
    "Khai không có văn bản nào khác với chưa khai.",
    "Denominator: the distinct entries of the committee's issue register that the clerk declared for "
    "exactly the period (invitations, calendars, notices, meeting papers, công văn that invite to a "
    "meeting), without secret documents and places with another electronic system. Numerator: those of "
    "them that were sent by mail as the committee's in the year of issue, by their symbol; without a "
    "symbol, or sent in the year after, by the queue id that the clerk noted. The numbers of invitations and "
    "notices must run through but for those of secret documents: while some are missing, the target is "
    "not said to be met. A register "
    "without entries is not an undeclared one.",
    (("phu-tho", "mục 1"),),
)
