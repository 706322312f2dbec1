"""Outcomes: predictions in production against what then happened, week by week."""
