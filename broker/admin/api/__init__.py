"""The JSON API of administration: what there is as values, and the table of routes that serves it."""
