"""Alerts: conditions with a name that fire, are told, told again and resolved."""
