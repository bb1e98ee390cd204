"""What of TLS a next hop must have before it gets mail: MTA-STS, DANE, a minimum of ours, REQUIRETLS."""
