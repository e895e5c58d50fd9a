"""Keep what trials gave: lines, arrays, run folders, and what leaves this machine."""
