"""Campaigns of faults: damaged files, ends in the middle, odd requests."""
