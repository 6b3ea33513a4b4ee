"""The hint that somebody still writes, and that asking for it kills nobody."""

from __future__ import annotations

import errno
import fcntl
import os
import subprocess
import sys
import textwrap

import pytest

from batchd.intake import lease
from batchd.intake.lease import held_open_for_writing

from ..open_files import open_below
from .conftest import as_nobody


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "may.csv"
    path.write_text("a\n")
    if held_open_for_writing(path) is None:
        pytest.skip("this file system has no leases")
    return path


def test_nobody_has_it(path):
    assert held_open_for_writing(path) is False


def test_a_reader_does_not_count(path):
    with path.open("rb"):
        assert held_open_for_writing(path) is False


@pytest.mark.parametrize("mode", ["ab", "r+b"])
def test_a_writer_counts_until_the_file_is_closed(path, mode):
    with path.open(mode):
        assert held_open_for_writing(path) is True
    assert held_open_for_writing(path) is False


def test_a_writer_in_another_process_who_stands_still(path):
    code = "import sys; file = open(sys.argv[1], 'ab'); print('open', flush=True); sys.stdin.read()"
    with subprocess.Popen([sys.executable, "-c", code, path], stdin=-1, stdout=-1, text=True) as writer:
        assert writer.stdout.readline() == "open\n"
        assert held_open_for_writing(path) is True
        writer.stdin.close()
    assert held_open_for_writing(path) is False


def test_a_file_server_that_holds_a_lease_for_a_client(path):
    descriptor = os.open(path, os.O_RDWR)
    try:
        fcntl.fcntl(descriptor, fcntl.F_SETSIG, 23)  # SIGURG, or we would be the one who is killed
        fcntl.fcntl(descriptor, fcntl.F_SETLEASE, fcntl.F_WRLCK)
        assert held_open_for_writing(path) is True
    finally:
        os.close(descriptor)


def test_no_opinion(path, tmp_path):
    assert held_open_for_writing(tmp_path / "nothing.csv") is None
    (tmp_path / "link.csv").symlink_to(path)
    assert held_open_for_writing(tmp_path / "link.csv") is None
    os.mkfifo(tmp_path / "pipe.csv")
    assert held_open_for_writing(tmp_path / "pipe.csv") is None
    assert held_open_for_writing(tmp_path) is None


def test_no_opinion_about_a_file_of_another_user(open_folder):
    if os.geteuid() != 0:
        pytest.skip("needs root to make another user's file")
    (open_folder / "may.csv").write_text("a\n")
    with as_nobody():
        assert held_open_for_writing(open_folder / "may.csv") is None


@pytest.mark.parametrize("number", [errno.EINVAL, errno.ENOLCK, errno.EOPNOTSUPP])
def test_no_opinion_where_leases_do_not_exist(path, monkeypatch, number):
    def refuse(descriptor: int, command: int, *_: int) -> int:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(lease.fcntl, "fcntl", refuse)
    assert held_open_for_writing(path) is None


def test_nothing_is_kept(path):
    for _ in range(10):
        held_open_for_writing(path)
    assert not open_below(path.parent)
    # A lease left behind would make this opening fail.
    os.close(os.open(path, os.O_WRONLY | os.O_NONBLOCK))


BROKEN_IN_THE_MIDDLE = textwrap.dedent(
    """
    import fcntl, os, sys
    from batchd.intake import lease
    real, broken = fcntl.fcntl, []

    def break_it(descriptor, command, argument=0):
        if command == fcntl.F_SETSIG and "default signal" in sys.argv:
            return 0
        answer = real(descriptor, command, argument)
        if command == fcntl.F_SETLEASE and argument == fcntl.F_RDLCK:
            try:
                os.open(sys.argv[1], os.O_WRONLY | os.O_NONBLOCK)
            except BlockingIOError:
                broken.append(True)  # the kernel has told the holder, who is us
        return answer

    fcntl.fcntl = break_it
    print(lease.held_open_for_writing(__import__("pathlib").Path(sys.argv[1])), broken, flush=True)
    """
)


def test_a_writer_who_comes_while_the_lease_is_ours_does_not_kill_us(path):
    done = subprocess.run([sys.executable, "-c", BROKEN_IN_THE_MIDDLE, path], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "False [True]\n"), done.stderr


def test_the_default_signal_would_have_killed_us(path):
    """Without this one the test above could pass for the wrong reason."""
    done = subprocess.run([sys.executable, "-c", BROKEN_IN_THE_MIDDLE, path, "default signal"], capture_output=True)
    assert done.returncode == -29  # SIGIO


def test_many_writers_and_many_questions(path):
    """Both live through it, and no writer waits long."""
    writer = textwrap.dedent(
        """
        import os, sys, time
        slowest = 0.0
        for _ in range(3000):
            before = time.monotonic()
            os.close(os.open(sys.argv[1], os.O_WRONLY))
            slowest = max(slowest, time.monotonic() - before)
        print(slowest)
        """
    )
    asker = textwrap.dedent(
        """
        import sys
        from pathlib import Path
        from batchd.intake.lease import held_open_for_writing
        print("asking", flush=True)
        while True:
            held_open_for_writing(Path(sys.argv[1]))
        """
    )
    with subprocess.Popen([sys.executable, "-c", asker, path], stdout=subprocess.PIPE, text=True) as asking:
        try:
            assert asking.stdout.readline() == "asking\n"
            writers = [
                subprocess.Popen([sys.executable, "-c", writer, path], stdout=subprocess.PIPE, text=True)
                for _ in range(2)
            ]
            for process in writers:
                said, _ = process.communicate(timeout=120)
                assert process.returncode == 0
                # A lease that is kept costs a writer 45 s; one whose holder the machine halts, as long as that lasts.
                assert float(said) < 10.0
            assert asking.poll() is None, "it was killed by the signal"
        finally:
            asking.kill()
