"""Data sets: what is known, where it lies, and how it comes here."""
