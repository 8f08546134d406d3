"""Run levels: what is started and stopped when, as the plugin file says (spec xmlblaster §14)."""
