"""A mixed day of traffic."""
