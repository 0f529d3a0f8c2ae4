"""The made-up county 汀兰县 and how it is made."""
