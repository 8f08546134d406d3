"""Commands of the people who run a broker: each asks its administration over HTTP."""
