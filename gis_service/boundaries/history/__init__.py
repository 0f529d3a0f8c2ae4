"""The past of a scheme.

- ``changes``: versions, what changed between two, withdrawal
- ``changes_file``: the same as a file
"""
