"""Who writes in: SPF, DKIM, DMARC and ARC of mail from outside (RFC 7208, 6376, 9989, 8617)."""
