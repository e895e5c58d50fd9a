"""HTML report, exports and comparisons of results."""
