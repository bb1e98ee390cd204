"""One SMTP session, a room for each part of the talk; each room builds on the one before it.

`replies` (what is said, and what counts) ← `connection` (how it begins and ends) ← `greeting` (EHLO and
the small commands) ← `sign_in` (AUTH) ← `envelope` (MAIL, RCPT) ← `content` (DATA, BDAT).
`relay.server` is the whole.
"""
