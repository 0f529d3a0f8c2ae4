"""Rules of coverage, read from TOML: who travels how, within how many minutes, with the source.

Open ``book`` for the standards, profiles, scenarios and place rules that are in force.
"""
