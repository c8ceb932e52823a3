"""Campaigns of abuse, bounded in time; none is part of the tests."""
