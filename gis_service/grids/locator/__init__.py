"""The exact index of one version of one scheme. Pure.

- ``locator``: which grid holds a point, and the nearest border
- ``kernels``: the compiled loops beneath
- ``compiling``: compiles them before the first question
"""
