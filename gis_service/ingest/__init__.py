"""Files in: what a file holds becomes frames, frames become rows, and what is refused is listed."""
