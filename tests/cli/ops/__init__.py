"""Commands that ask a broker."""
