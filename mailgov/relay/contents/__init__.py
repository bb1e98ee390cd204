"""What a message carries: malware, spam, and attachments by what they really are."""
