"""The native protocol without I/O: bytes become frames, frames become methods, and back."""
