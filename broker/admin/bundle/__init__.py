"""A bundle of what there is to know of a broker, for those who help (operations §1.16); never contents of messages."""
