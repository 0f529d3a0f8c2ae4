"""Sessions in memory: begun by one token, bounded in number and in time."""

from gis_service.access.sessions import Sessions


class Clock:
    """Seconds that pass when a test says so."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


def begun(sessions: Sessions) -> str:
    name = sessions.begin(sessions.token)
    assert name is not None
    return name


def test_only_the_token_of_this_start_begins_a_session() -> None:
    sessions, other = Sessions(60, 5), Sessions(60, 5)
    for wrong in ("", "x", other.token, sessions.token[:-1], sessions.token + "x", "令牌"):
        assert sessions.begin(wrong) is None
    assert sessions.holds(begun(sessions))
    assert not other.holds(begun(sessions))


def test_names_of_sessions_cannot_be_guessed_from_one_another_or_the_token() -> None:
    sessions = Sessions(60, 5)
    names = {begun(sessions) for _ in range(5)}
    assert len(names) == 5
    assert all(len(name) >= 43 for name in names)
    assert not sessions.holds(sessions.token)
    assert not sessions.holds(None)
    assert not sessions.holds("\udcff")


def test_a_session_ends_after_its_time() -> None:
    clock = Clock()
    sessions = Sessions(60, 5, clock)
    name = begun(sessions)
    clock.now = 59.9
    assert sessions.holds(name)
    clock.now = 60.0
    assert not sessions.holds(name)


def test_who_signs_out_is_out_and_others_stay() -> None:
    sessions = Sessions(60, 5)
    one, other = begun(sessions), begun(sessions)
    sessions.end(one)
    sessions.end("nobody's")
    sessions.end(None)
    assert not sessions.holds(one)
    assert sessions.holds(other)


def test_of_too_many_the_oldest_ends_and_the_ended_do_not_count() -> None:
    clock = Clock()
    sessions = Sessions(60, 3, clock)
    names = [begun(sessions) for _ in range(4)]
    assert [sessions.holds(name) for name in names] == [False, True, True, True]
    assert len(sessions._ends) == 3
    clock.now = 100.0
    begun(sessions)
    assert len(sessions._ends) == 1
