"""Who somebody is and what they may do: accounts, htpasswd files, SCRAM verifiers, limits on guessing (design D13)."""
