"""What other providers report of mail in our name: DMARC aggregate reports and SMTP TLS reports."""
