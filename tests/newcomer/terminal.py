"""A terminal in which the commands of a page are typed."""

from __future__ import annotations

import os
import pty
import select
import signal
import subprocess
import sys
import termios
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType

import psutil

# Python as installed on a user's machine, not the environment of the tests, and the usual commands.
_PATH = os.pathsep.join([f"{sys.base_prefix}/bin", "/usr/local/bin", "/usr/bin", "/bin"])
_MARK = "NEWCOMER"


class Terminal:
    """A bash with job control, in an empty directory with an empty home; nothing of the checkout can be imported.

    :param folder: The directory.
    :param home: The home directory.
    :param replaced: Texts of the pages to replace, such as a port that is in use.
    """

    def __init__(self, folder: Path, home: Path, replaced: Mapping[str, str], more: Mapping[str, str]) -> None:
        self.folder, self.replaced = folder, replaced
        home.mkdir()
        folder.mkdir()
        script, self._commands = os.pipe()
        self.environment = {
            "PATH": _PATH,
            "HOME": str(home),
            "LANG": "C.UTF-8",
            # All that pip needs is installed: it must not download anything.
            "PIP_NO_INDEX": "1",
            "PIP_DISABLE_PIP_VERSION_CHECK": "1",
            "NO_PROXY": "127.0.0.1,localhost",
            "no_proxy": "127.0.0.1,localhost",
            _MARK: str(folder),
            **more,
        }
        self._screen, screen = pty.openpty()
        modes = termios.tcgetattr(screen)
        modes[1] &= ~termios.OPOST
        termios.tcsetattr(screen, termios.TCSANOW, modes)
        self._shell = subprocess.Popen(
            # With job control each job is a process group, as in a terminal.
            ["setsid", "--ctty", "bash", "--noprofile", "--norc", "-m", f"/dev/fd/{script}"],
            cwd=folder,
            env=self.environment,
            pass_fds=[script],
            stdin=screen,
            stdout=screen,
            stderr=screen,
        )
        os.close(script)
        os.close(screen)

    def __enter__(self) -> Terminal:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """End the processes started here, and no others."""
        os.close(self._commands)
        for number, seconds in ((signal.SIGTERM, 15), (signal.SIGKILL, 5)):
            left = self.processes()
            for process in left:
                process.send_signal(number)
            psutil.wait_procs(left, timeout=seconds)
        self._shell.wait()
        os.close(self._screen)

    def processes(self) -> list[psutil.Process]:
        """Return the running processes that were started here."""
        return [process for process in psutil.process_iter() if self._is_own(process)]

    def _is_own(self, process: psutil.Process) -> bool:
        try:
            if process.status() == psutil.STATUS_ZOMBIE:
                return False
            # Airflow's servers write their name over their environment, and its tasks have sessions of their own.
            return os.getsid(process.pid) == self._shell.pid or process.environ().get(_MARK) == str(self.folder)
        except (psutil.Error, ProcessLookupError):
            return False

    def literal(self, text: str) -> str:
        """Return a text of a page as it is typed or written here."""
        for old, new in self.replaced.items():
            text = text.replace(old, new)
        return text

    def write(self, name: str, text: str) -> None:
        """Write a file of a page."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(self.literal(text), encoding="utf-8")

    def run(self, line: str, seconds: float = 180) -> str:
        """Type a line, wait until it has ended, and return its output; an exit status other than 0 is an error."""
        line, mark = self.literal(line), f"=== {time.monotonic_ns()} "
        os.write(self._commands, f"{line}\nprintf '\\n%s%s\\n' '{mark}' $?\n".encode())
        shown, end = "", time.monotonic() + seconds
        while mark not in shown or not shown.endswith("\n"):
            ready, _, _ = select.select([self._screen], [], [], max(0.0, end - time.monotonic()))
            part = os.read(self._screen, 1 << 16).decode(errors="replace") if ready else ""
            assert part, f"{line}\n{shown}\n{'The shell has ended' if ready else f'No end within {seconds:.0f} s'}."
            shown += part
        shown, _, status = shown.partition(f"\n{mark}")
        assert int(status) == 0, f"{line}\n{shown}\nstatus {status}"
        return shown
