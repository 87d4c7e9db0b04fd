"""The measured programs. Each reads everything and prints its measurement as one line of JSON."""
