"""The commands of ``gis-service``, a module for each room; ``cli`` puts them together."""
