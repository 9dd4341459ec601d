"""What the machine gives a store: its library, its file system, its free space."""

from __future__ import annotations

import errno
import os
from pathlib import Path

from durajob.store.driver import require_sound_library, sqlite
from durajob.store.files import lock_path
from durajob.store.locks import LockFile

REMOTE = frozenset(
    {"9p", "afs", "ceph", "cifs", "fuse.sshfs", "gfs2", "glusterfs", "lustre", "nfs", "nfs4"}
    | {"ocfs2", "smb3", "smbfs", "virtiofs"}
)
"""File systems that several machines may write to at once."""


def sound_sqlite() -> str:
    """The version of the SQLite library.

    Raises:
        SqliteTooOld: when it is older than durajob takes.
    """
    require_sound_library()
    return str(sqlite.sqlite_version)


def existing_folder(path: Path) -> Path:
    """The folder of a store, or where it would be made."""
    return next(each for each in path.parents if each.is_dir())


def file_system(folder: Path) -> str:
    """The type of the file system that a folder lies on (proc_pid_mountinfo(5))."""
    device = os.stat(folder).st_dev
    wanted = f"{os.major(device)}:{os.minor(device)}"
    kinds: dict[str, str] = {}
    try:
        with open("/proc/self/mountinfo", encoding="utf-8", errors="replace") as file:
            for line in file:
                mount, _, rest = line.partition(" - ")
                kinds[mount.split()[2]] = rest.split()[0]
    except OSError:
        pass
    return kinds.get(wanted, "an unknown file system")


def locks(path: Path) -> bool:
    """Whether the file system of a store locks files, as far as its lock file shows."""
    try:
        file = LockFile(lock_path(path), create=False)
    except OSError:
        return True  # there is none yet, and nothing is made to find out
    try:
        file.thread_is_held(0)
    except OSError as error:
        return error.errno not in (errno.EINVAL, errno.ENOLCK, errno.EOPNOTSUPP)
    finally:
        file.close()
    return True


def free_space(folder: Path) -> tuple[int, int, int | None]:
    """Bytes that are free for us, bytes in all, and how many files can still be made.

    The last is None where the file system does not count files.
    """
    status = os.statvfs(folder)
    files = status.f_favail if status.f_files else None
    return status.f_bavail * status.f_frsize, status.f_blocks * status.f_frsize, files
