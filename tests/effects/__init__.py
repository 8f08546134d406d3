"""Effects, whatever the tongue that asks for them."""
