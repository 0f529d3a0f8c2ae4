"""Incidents and hazards: what happened, what is dangerous, and how far it has been dealt with."""
