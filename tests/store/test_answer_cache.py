"""The memory of answers: what is in it, for how long, and how large it may get."""

from __future__ import annotations

from pathlib import Path

from batchd.store.answer_cache import AnswerCache, RequestKeys


def key(number: int) -> bytes:
    """Sixteen bytes."""
    return number.to_bytes(16, "big")


def test_a_key_is_of_what_is_asked_whatever_its_order() -> None:
    questions = RequestKeys("acme", "/v1/chat/completions")
    one = questions.key(b'{"model":"m","messages":[{"role":"user","content":"a"}]}')
    assert one == questions.key(b'{"messages": [{"content": "a", "role": "user"}], "model": "m"}')
    assert len(one) == 16
    others = [
        questions.key(b'{"model":"m","messages":[{"role":"user","content":"b"}]}'),
        RequestKeys("other", "/v1/chat/completions").key(b'{"model":"m","messages":[{"role":"user","content":"a"}]}'),
        RequestKeys("acme", "/v1/responses").key(b'{"model":"m","messages":[{"role":"user","content":"a"}]}'),
    ]
    assert len({one, *others}) == 4


def test_what_was_kept_is_recalled_for_as_long_as_it_counts(tmp_path: Path) -> None:
    with AnswerCache.opened(tmp_path / "answers.db") as book:
        book.keep([(key(number), b"line %d" % number) for number in range(1_200)], at=100.0)
    with AnswerCache.opened(tmp_path / "answers.db") as book:
        asked = [key(number) for number in range(0, 2_400, 2)]
        assert book.recall(asked, since=100.0) == {key(n): b"line %d" % n for n in range(0, 1_200, 2)}
        assert book.recall(asked, since=100.1) == {}
        book.keep([(key(0), b"newer")], at=200.0)
        assert book.recall([key(0)], since=150.0) == {key(0): b"newer"}


def test_it_is_swept_by_age(tmp_path: Path) -> None:
    with AnswerCache.opened(tmp_path / "answers.db") as book:
        book.keep([(key(1), b"old")], at=100.0)
        book.keep([(key(2), b"new")], at=200.0)
        assert book.sweep(before=150.0, most_bytes=10**9) == 1
        assert book.recall([key(1), key(2)], since=0.0) == {key(2): b"new"}


def test_it_grows_no_larger_than_it_may_and_forgets_the_oldest_first(tmp_path: Path) -> None:
    path = tmp_path / "answers.db"
    with AnswerCache.opened(path) as book:
        for at in range(20):
            book.keep([(key(at * 100 + number), b"x" * 1_000) for number in range(100)], at=float(at))
        before = book.size()
        assert book.sweep(before=0.0, most_bytes=500_000) > 0
        assert before > 1_500_000
        assert book.size() <= 500_000
        assert book.recall([key(1_999)], since=0.0)
        assert not book.recall([key(0)], since=0.0)
    assert path.stat().st_size <= 500_000


def test_a_damaged_one_is_begun_anew(tmp_path: Path) -> None:
    path = tmp_path / "answers.db"
    path.write_bytes(b"no database at all" * 1_000)
    with AnswerCache.opened(path) as book:
        book.keep([(key(1), b"line")], at=1.0)
        assert book.recall([key(1)], since=0.0) == {key(1): b"line"}
