"""Anybody's table of logged actions or slates: columns and policies, checked and turned into arrays."""
