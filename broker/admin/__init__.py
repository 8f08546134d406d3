"""What an administrator sees and changes (spec xmlblaster §16)."""
