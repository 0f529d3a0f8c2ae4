"""What would be otherwise.

- ``what_if``, ``what_if_answers``: stations moved, added or closed, roads changed
- ``sites``, ``job``: the next sites by steps of a standard, as a job
- ``maximal_cover``: the integer programs beneath, with their proven bound
"""
