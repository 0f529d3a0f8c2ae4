"""Who is rung for a grid: post A, post B while A is away, then the next head upward at work.

One rule for locating, incidents and sheets. Pure: nothing here reads the store.
"""

from collections.abc import Iterable, Sequence
from typing import Literal, Protocol, TypeVar

Because = Literal["post_a", "post_b", "a_on_leave", "head"]
"""Why it is this one; ``head`` where nobody of the grid's own is at work."""


class OnPost(Protocol):
    """Somebody in a post of a grid, as of a day."""

    @property
    def role(self) -> str:
        """``officer`` or ``head``."""

    @property
    def post(self) -> str:
        """``A`` or ``B``."""

    @property
    def on_leave(self) -> bool:
        """Away on that day."""


Officer = TypeVar("Officer", bound=OnPost)


def find_first_at_work(steps: Iterable[Sequence[Officer]]) -> tuple[int, Because, Officer] | None:
    """
    Choose whom to ring first.

    Parameters
    ----------
    steps
        Who answers for the grid, then for each grid above it, from below; heads before officers,
        post A before B. Asked for no further than needed.

    Returns
    -------
    step, because, officer
        Which of the steps, why, and who: the officer of post A; on leave, the one of post B; then
        the nearest head upward who is at work. None where nobody is.
    """
    for number, officers in enumerate(steps):
        if number == 0:
            grid_officers = [officer for officer in officers if officer.role == "officer"]
            a_is_away = any(officer.post == "A" and officer.on_leave for officer in grid_officers)
            for officer in grid_officers:
                if not officer.on_leave:
                    if officer.post == "A":
                        return number, "post_a", officer
                    return number, "a_on_leave" if a_is_away else "post_b", officer
        for officer in officers:
            if officer.role == "head" and not officer.on_leave:
                return number, "head", officer
    return None
