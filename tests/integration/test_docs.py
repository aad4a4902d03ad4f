"""The documentation's links lead somewhere, also to headings."""
import pathlib
import re

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
PAGES = sorted([ROOT / "README.md", *ROOT.glob("docs/**/*.md"), *ROOT.glob("deploy/**/*.md"), *ROOT.glob("tests/**/*.md")])


def anchors(page):
    """Names of its headings, as the usual renderers make them."""
    prose = re.sub(r"^```.*?^```", "", page.read_text(), flags=re.M | re.S)
    for heading in re.findall(r"^#+ +(.*?)\s*$", prose, re.M):
        yield re.sub(r"[^\w\- ]", "", heading.replace("`", "").lower()).replace(" ", "-")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page):
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text()):
        if re.match(r"https?:|mailto:", target):
            continue
        path, _, anchor = target.partition("#")
        other = (page.parent / path).resolve() if path else page
        assert other.exists(), f"{target}: no such file"
        if anchor:
            assert anchor in set(anchors(other)), f"{target}: no such heading"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_files_and_make_targets_named_in_it_exist(page):
    text = page.read_text()
    for path in re.findall(r"(?<![\w/.])((?:deploy|docs)/[\w./-]*\.[a-z]+)\b", text):
        assert (ROOT / path).exists(), f"{path} is not there"
    targets = set(re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(), re.M))
    for target in re.findall(r"`make ([a-z][\w-]*)", text):
        assert target in targets, f"make {target}"


def commands():
    """Each command of the client and the text of its help, as docs/cli.md has it."""
    text = (ROOT / "docs/cli.md").read_text()
    sections = {re.match(r"[a-z-]+( [a-z-]+)*", section)[0]: section
                for section in re.split(r"^## tocsin ", text, flags=re.M)[1:]}
    found = {row[0]: sections.get(row[0], "") for row in re.findall(r"^\| `([a-z-]+( [a-z-]+)*)", text, re.M)}
    assert {"status", "customer add", "servicenow kit"} <= set(found)
    return found


def written(text):
    """What a page has people type: the words after `tocsin`, up to the end of the line or of the code."""
    code = re.findall(r"`([^`\n]+)`", text) + re.findall(r"^    (\S.*)$", text, re.M)
    for line in code:
        for words in re.findall(r"(?:^|[ '(])tocsin ((?:--json )?[a-z][^`#|'&>;]*)", line):
            yield words.removeprefix("--json ").split()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_commands_and_options_exist(page):
    known = commands()
    for words in written(page.read_text()):
        name = next((" ".join(words[:n]) for n in (2, 1) if " ".join(words[:n]) in known), None)
        assert name or len(words) == 1 or words[0] not in {command.split()[0] for command in known}, f"tocsin {' '.join(words)}: no such command"
        for option in re.findall(r"--[a-z][a-z-]*", " ".join(words)) if name else []:
            assert option in known[name] or option in ("--json", "--help"), f"tocsin {name} has no {option}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_settings_exist(page):
    known = set(re.findall(r"`(TOCSIN_[A-Z_]+)`", (ROOT / "docs/configuration.md").read_text()))
    for name in re.findall(r"\bTOCSIN_[A-Z][A-Z_]*[A-Z]\b", page.read_text()):
        tests_own = name == "TOCSIN_BUILD" or name.startswith(("TOCSIN_TEST_", "TOCSIN_GOLDEN"))
        assert tests_own or name in known or name.removesuffix("_FILE") in known, name
