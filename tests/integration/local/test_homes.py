"""Where binaries and data live, and that files moved there are whole."""

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from infra.local import homes


def test_a_private_folder_is_replaced_only_for_root(tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    place = homes.server_place(tmp_path / "data")
    if homes.is_root():
        assert place.is_relative_to(homes.home())
        assert place == homes.server_place(tmp_path / "data")
        assert place != homes.server_place(tmp_path / "other")
    else:
        assert place == tmp_path / "data"


def test_an_installation_is_built_once() -> None:
    built: list[Path] = []
    name = f"test-{os.getpid()}"

    def build(folder: Path) -> None:
        built.append(folder)
        (folder / "file").write_text("whole")

    with ThreadPoolExecutor(4) as pool:
        places = list(pool.map(lambda _: homes.installed(name, build), range(4)))
    try:
        assert len(built) == 1
        assert {place.name for place in places} == {name}
        assert (places[0] / "file").read_text() == "whole"
        assert places[0].stat().st_mode & 0o777 == 0o755
    finally:
        (places[0] / "file").unlink()
        places[0].rmdir()
        (places[0].parent / f"{name}.lock").unlink()


def test_a_failed_installation_leaves_nothing() -> None:
    name = f"failing-{os.getpid()}"

    def build(folder: Path) -> None:
        (folder / "half").write_text("")
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        homes.installed(name, build)
    bin_folder = homes.home() / "bin"
    (bin_folder / f"{name}.lock").unlink()
    assert [one.name for one in bin_folder.iterdir() if name in one.name] == []


def test_a_lock_is_exclusive(tmp_path: Path) -> None:
    with (
        homes.lock_file(tmp_path / "lock", wait=False),
        pytest.raises(BlockingIOError),
        homes.lock_file(tmp_path / "lock", wait=False),
    ):
        pass
    with homes.lock_file(tmp_path / "lock", wait=False):
        pass
