"""From frames to tables.

- ``validating``, ``checks``: each row checked, and refused with its reason
- ``references``: which row a file means
- ``write``: copied in bulk, recorded
- ``past_imports``: which file went in when
"""
