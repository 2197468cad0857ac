"""Releases in a cluster: what is applied, how the share of a release moves, and what runs."""
