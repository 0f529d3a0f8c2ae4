"""Hostile files and bodies, each made by a script, sent to a served instance, and what it answers.

``scripts/hostile`` runs them all; a short seeded choice of them stands among the tests.
"""
