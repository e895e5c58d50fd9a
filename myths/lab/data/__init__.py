"""Datasets: catalog, downloads, prepared files and user data."""
