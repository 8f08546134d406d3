"""Other servers, installed from Debian and run with configurations of their own."""
