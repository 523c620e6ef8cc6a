"""A mixed day of traffic against a daemon, with Locust."""
