"""A standard measured on the whole county, and stored.

- ``runs``: measure, store, list
- ``reading``, ``households``, ``writing``: what is stored of a run
- ``staleness``: whether a run still tells the truth
- ``comparing``: two runs side by side
- ``network_report``, ``network_report_reading``: faults of the roads that a run stands on
"""
