"""Ctrl-C and SIGTERM: one line, an exit status that a shell knows, and no process is left."""

import os
import signal
import subprocess
import sys
import time

import pytest
from sweep_file import FILE

from specmup.__main__ import main
from specmup.cli.stopping import stopped_in_one_line
from specmup.sweeps import runner

PROGRAM = """
import os
import signal
import time
from specmup.runs.pool import Pool
from specmup.cli.stopping import stopped_in_one_line


def work(job, worker):
    print(os.getpid(), flush=True)
    time.sleep(600)


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a background shell takes it away
    with stopped_in_one_line("stopped: what is done is kept"), Pool(work, 2) as pool:
        pool.submit(1), pool.submit(2)
        pool.next()
"""


def ended(pid: int) -> bool:
    deadline = time.monotonic() + 30
    while os.path.exists(f"/proc/{pid}"):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


@pytest.mark.parametrize(("sent", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_is_answered_in_one_line_and_the_workers_end(sent, status, tmp_path):
    (tmp_path / "program.py").write_text(PROGRAM)
    words = [sys.executable, tmp_path / "program.py"]
    pipe = subprocess.PIPE
    with subprocess.Popen(words, stdout=pipe, stderr=pipe, text=True) as process:
        workers = [int(process.stdout.readline()) for _ in range(2)]
        process.send_signal(sent)
        _, said = process.communicate(timeout=60)
    assert process.returncode == status
    assert said == "stopped: what is done is kept\n"
    assert all(map(ended, workers))


@pytest.mark.parametrize(("sent", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_every_command_is_stopped_in_one_line(sent, status, monkeypatch, capsys):
    monkeypatch.setattr("specmup.cli.rules.run", lambda asked: os.kill(os.getpid(), sent))
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(SystemExit) as left:
            main(["rules", "--optimizer", "sgd", "--block-depth", "1"])
    finally:
        signal.signal(signal.SIGINT, before)
    assert left.value.code == status
    assert capsys.readouterr() == ("", "stopped\n")


def test_what_a_signal_did_before_it_does_again_afterwards():
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(SystemExit), stopped_in_one_line("all is kept"):
        assert signal.getsignal(signal.SIGTERM) != before
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(60)
    assert signal.getsignal(signal.SIGTERM) == before


def test_what_a_library_raises_in_place_of_a_signal_changes_no_status(capsys):
    with pytest.raises(SystemExit) as left, stopped_in_one_line("all is kept"):
        try:
            os.kill(os.getpid(), signal.SIGTERM)
            time.sleep(60)
        except KeyboardInterrupt:
            raise KeyboardInterrupt from None  # as Ray's waiting does
    assert left.value.code == 143 and capsys.readouterr().err == "all is kept\n"


@pytest.mark.parametrize(("term", "status"), [(False, 130), (True, 143)])
def test_a_sweep_that_is_stopped_says_so(term, status, tmp_path, monkeypatch, capsys):
    def stopped(*_, **options):
        if term:
            signal.raise_signal(signal.SIGTERM)
        raise KeyboardInterrupt

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(runner, "run_sweep", stopped)
    monkeypatch.setattr("specmup.sweeps.rehearsal.rehearse", lambda *_: None)
    (tmp_path / "tiny.toml").write_text(FILE)
    with pytest.raises(SystemExit) as left:
        main(["sweep", "run", "tiny.toml"])
    assert left.value.code == status
    said = "stopped: finished runs are kept, the same command goes on\n"
    assert capsys.readouterr().err == said
