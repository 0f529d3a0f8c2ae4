"""Plans: drawn, reviewed, approved by another one, published.

- ``life``: the steps of a plan
- ``work``: edit, undo, check, weigh; ``completing``: an edit that can be done again just so
- ``drafts``, ``base``: drafts that a process keeps ready, and what they are made of
- ``proposals``, ``proposal_job``: grids drawn anew on a draft, at once or as a job
- ``publication``: a plan comes into force
- ``queries``, ``writing``: what they read of the store and what they write there
"""
