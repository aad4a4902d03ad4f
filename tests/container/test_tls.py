"""TLS to Redis with the images' libraries: the bus's unit tests, all of them over TLS."""
import os
import pathlib
import subprocess

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
TESTS = [f"/build/tests/unit/test_{name}" for name in ("redis_tls", "redis", "bus_calls", "worker")]


def docker(*args):
    done = subprocess.run(["docker", *args], text=True, timeout=600, capture_output=True, check=False)
    return done.returncode, done.stdout + done.stderr


@pytest.fixture(scope="module", name="image")
def fixture_image():
    image = "tocsin/check:test"
    base = os.environ.get("BASE", "debian:trixie-slim")
    status, said = docker("build", "-q", "--network", "host", "--build-arg", f"BASE={base}", "-t", image, "-f",
                          str(ROOT / "tests/container/check.Dockerfile"), str(ROOT / "tests/container"))
    if "Unable to fetch some archives" in said:
        pytest.skip("Debian's packages cannot be had")
    assert status == 0, said
    return image


def test_the_bus_over_tls(image):
    script = f'make -j"$(nproc)" WERROR=1 OPT=-O0 B=/build {" ".join(TESTS)} && tests/unit/run {" ".join(TESTS)}'
    status, said = docker("run", "--rm", "--network", "none", "-v", f"{ROOT}:/src:ro", "-w", "/src",
                          "-e", "TOCSIN_TEST_TLS=1", image, "sh", "-c", script)
    assert status == 0 and f"{len(TESTS)} passed, 0 failed" in said, said[-4000:]
