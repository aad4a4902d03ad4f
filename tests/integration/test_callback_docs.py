"""docs/callback.md says of every refusal what the service does."""
import pathlib
import re

ROOT = pathlib.Path(__file__).resolve().parents[2]
DOCS = (ROOT / "docs/callback.md").read_text()


def documented(column):
    return set(re.findall(rf"^\| (\d{{3}}) \| `({column})` \|", DOCS, flags=re.M))


def test_every_problem_is_documented():
    source = (ROOT / "services/callback/problem.c").read_text()
    rows = set(re.findall(r"\[PROBLEM_\w+\] = \{\s*(\d+),\s*\"([a-z-]+)\"", source))
    assert len(rows) > 10
    assert documented("[a-z-]+") == rows


def test_every_oauth_error_is_documented():
    source = (ROOT / "services/callback/oauth.c").read_text()
    rows = set(re.findall(r"struct oauth_error \w+ = \{\s*(\d+),\s*\"([a-z_]+)\"", source))
    assert len(rows) == 5
    assert documented("[a-z]+_[a-z_]+") == rows


def test_every_route_is_documented():
    source = (ROOT / "services/callback/routes.c").read_text()
    for method, path in re.findall(r"\{ \"(\w+)\", \"([^\"]+)\"", source):
        assert f"`{method} {path.rstrip('*')}" in DOCS, path
