"""What each computed indicator counts, in both languages. Change a text when, and only when, that changes."""

from __future__ import annotations

from mailgov.usage.definitions import Definition

PT_OFFICIALS = Definition(
    "pt.officials-using-mail",
    "CBCCVC dùng thư",
    "Officials using mail",
    "Tử số: người giữ tài khoản cá nhân, thuộc cán bộ, công chức, viên chức và làm việc tại cơ quan vào "
    "ngày cuối kỳ, trong mỗi tháng của kỳ đều gửi ít nhất một thư không tự động cho người khác; đăng "
    "nhập, trả lời tự động, thư cho chính mình và thư của tài khoản dùng chung không tính; thư gửi từ "
    "địa chỉ dùng chung nhưng dưới tài khoản của chính mình thì tính. Mẫu số: số cán bộ, công chức, "
    "viên chức mà cơ quan khai cho ngày cuối kỳ. Chưa khai, mẫu số 0 hoặc tử số lớn hơn mẫu "
    "số thì không có tỷ lệ; toàn tỉnh chỉ có tỷ lệ khi mọi cơ quan đã khai.",
    "Numerator: holders of a personal account who are cán bộ, công chức or viên chức and serve in the "
    "agency on the period's last day and who, in each month of the period, sent at least one message "
    "that was not automatic to another person; sign-ins, automatic replies, notes to oneself and mail of "
    "shared accounts do not count, mail from a shared address under one's own account does. "
    "Denominator: the cán bộ, công chức or viên chức that the agency declared "
    "for the period's last day. Undeclared, a denominator of 0 and a numerator above it give no "
    "percentage; the province has one only when every agency has declared.",
    (("phu-tho", "mục 1"),),
)
BD_OFFICIALS = Definition(
    "bd.officials-using-mail",
    "CBCC dùng thư",
    "Cán bộ and công chức using mail",
    "Tử số: người giữ tài khoản cá nhân, thuộc cán bộ, công chức (không kể viên chức) và làm việc tại "
    "cơ quan vào ngày cuối kỳ, trong mỗi tháng của kỳ đều gửi ít nhất một thư không tự động cho người "
    "khác; đăng nhập, trả lời tự động, thư cho chính mình và thư của tài khoản dùng chung không tính; thư "
    "gửi từ địa chỉ dùng chung nhưng dưới tài khoản của chính mình thì tính. Mẫu số: số cán bộ, công "
    "chức (không kể viên chức) mà cơ quan khai cho ngày cuối kỳ. Chưa khai, mẫu số 0 hoặc "
    "tử số lớn hơn mẫu số thì không có tỷ lệ; toàn tỉnh chỉ có tỷ lệ khi mọi cơ quan đã khai.",
    "Numerator: holders of a personal account who are cán bộ or công chức (viên chức are left out) and "
    "serve in the agency on the period's last day and who, in each month of the period, sent at least "
    "one message that was not automatic to another person; sign-ins, automatic replies, notes to "
    "oneself and mail of shared accounts do not count, mail from a shared address under one's own "
    "account does. Denominator: the cán bộ or công chức (viên chức are "
    "left out) that the agency declared for the period's last day. Undeclared, a denominator of 0 and a "
    "numerator above it give no percentage; the province has one only when every agency has declared.",
    (("binh-dinh", "Điều 1, mục 1b"),),
)
BN_ACCOUNTS = Definition(
    "bn.accounts",
    "Tài khoản đã cấp cho người",
    "Accounts issued to persons",
    "Tử số: tài khoản cá nhân của cán bộ, công chức, viên chức đã cấp và đang mở (không bị khóa) vào "
    "cuối ngày cuối kỳ, theo cơ quan của người giữ ngày đó. Mẫu số: số người cùng loại mà cơ quan khai "
    "cho ngày cuối kỳ.",
    "Numerator: personal accounts of cán bộ, công chức and viên chức that were issued and open (not "
    "suspended) at the end of the period's last day, by the agency that the holder served that day. "
    "Denominator: the persons of these classes that the agency declared for that day.",
    (("bac-ninh", "phần mở đầu"),),
)
BN_AGENCIES = Definition(
    "bn.agencies-with-accounts",
    "Cơ quan có tài khoản",
    "Agencies with an account",
    "Tử số: cơ quan có ít nhất một tài khoản, loại nào cũng được, đã cấp và đang mở vào cuối ngày cuối "
    "kỳ. Mẫu số: số cơ quan tồn tại ngày đó theo danh bạ.",
    "Numerator: agencies with at least one account of any kind that was issued and open at the end of "
    "the period's last day. Denominator: the agencies that exist on that day by the directory.",
    (("bac-ninh", "phần mở đầu"),),
)
CB_MAILBOXES = Definition(
    "cb.official-mailboxes",
    "Địa chỉ công vụ trên dịch vụ miễn phí",
    "Official addresses on free services",
    "Số địa chỉ trên dịch vụ thư miễn phí ở nước ngoài (theo danh sách tên miền trong providers.toml) "
    "mà cơ quan công bố, đăng ký là của mình, hoặc là đích của bí danh, thành viên danh sách, chuyển "
    "tiếp; mỗi đích của mỗi bí danh tính một lần. Hộp thư công bố theo ngày cuối kỳ, phần còn lại theo "
    "danh bạ ngày lập báo cáo. Bí danh thuộc cơ quan công bố nó, nếu không thì thuộc cơ quan duy nhất "
    "của các đích trong tỉnh. Thư gửi người dân ở dịch vụ miễn phí và địa chỉ riêng của người giữ tài "
    "khoản được nêu bên cạnh, không phải vi phạm. Cơ quan có hệ thống thư riêng theo ngành được miễn.",
    "Addresses on free mail services abroad (by the domains listed in providers.toml) that an agency "
    "publishes or registered as its own, or that an alias, a list or a forward leads to; each target of "
    "each alias counts once. Published mailboxes as on the period's last day, the rest as the directory "
    "stands on the day of the report. An alias belongs to the agency that publishes it, otherwise to "
    "the one agency of its targets inside the province. Mail to citizens on free services, and holders' "
    "own registered addresses, are told beside it and are no breach. Agencies with a mail system of "
    "their own sector are exempt.",
    (("cao-bang", "mục 1b"),),
)
