"""Foreign files are parsed in a child process with limits on memory, time and files.

- ``client``: ask for a reading
- ``process``: the child
- ``transfer``: tables on their way between the two
"""
