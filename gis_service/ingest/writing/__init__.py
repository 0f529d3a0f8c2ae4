"""From frames to tables.

- ``validating``, ``checks``: each row checked, and refused with its reason
- ``write``: copied in bulk, recorded
- ``past_imports``: which file went in when
- ``queries``: all statements of this wing
"""
