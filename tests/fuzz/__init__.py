"""Bad requests by the thousand against a real daemon."""
