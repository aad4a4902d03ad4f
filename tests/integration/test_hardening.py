"""The programs as they were linked: what makes the use of a mistake in them harder is there, and documented."""
import pathlib
import re
import subprocess

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
RELEASE = ROOT / "build" / "release"
PROGRAMS = sorted(path.name for path in RELEASE.glob("tocsin*") if "." not in path.name)


def readelf(*args):
    return subprocess.run(["readelf", "-W", *args], text=True, capture_output=True, check=True).stdout


@pytest.mark.skipif(not PROGRAMS, reason="no release build here")
@pytest.mark.parametrize("program", PROGRAMS)
def test_program_is_hardened(program):
    path = RELEASE / program
    assert "DYN" in readelf("-h", path)
    segments = readelf("-l", path)
    assert "GNU_RELRO" in segments
    assert re.search(r"GNU_STACK(\s+0x\w+)+ RW\s", segments), "the stack is executable"
    dynamic = readelf("-d", path)
    assert "BIND_NOW" in dynamic and "PIE" in dynamic
    assert "RPATH" not in dynamic and "RUNPATH" not in dynamic
    symbols = readelf("--dyn-syms", path)
    assert "__stack_chk_fail" in symbols
    assert re.search(r"__\w+_chk\b", symbols), "built without _FORTIFY_SOURCE"


def test_flags_are_documented():
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8").replace("\\\n", " ")
    text = (ROOT / "docs" / "containers.md").read_text(encoding="utf-8").split()
    for name in ("HARDENING", "LINKING"):
        flags = re.search(rf"^{name} +:= (.*)$", makefile, re.M)[1].split()
        assert len(flags) >= 7
        assert not [flag for flag in flags if flag not in text]
