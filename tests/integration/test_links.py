"""Links of mails: what a page shows, what a form does, and that each acts once."""
import concurrent.futures
import html
import re
import urllib.parse

import pytest

from harness import wait_until
from harness.browser import DESKTOP, PHONE, browser, missing
from harness.linked import INCIDENT, SYS_ID, Callback, LinkKeys

HTML = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
LETTERS = "23456789ABCDEFGHJKMNPQRSTUVWXYZ"


def code(first="K7QM4XP"):
    """Seven letters and the check on them (common/model/code.h)."""
    total = sum((i + 2) * LETTERS.index(c) for i, c in enumerate(first))
    return first[:4] + "-" + first[4:] + LETTERS[-total % 31]


@pytest.fixture
def callback(system):
    outside = Callback(system)
    outside.servicenow("main", client_id="tocsin-main")
    system.threat_response()
    system.customer("acme")
    system.apply()
    outside.start()
    yield outside
    system.done()


def answer(callback, purpose="verdict", headers=HTML, **fields):
    return callback.post(f"/v1/{purpose}", data=fields, headers=headers)


def words(page):
    """What a page says."""
    text = re.sub(r"<style>.*?</style>|<title>.*?</title>", "", page.text, flags=re.S)
    return html.unescape(" ".join(re.sub(r"<[^>]+>", " ", text).split()))


# -- showing

def test_a_page_says_what_would_happen_and_nobody_else_learns_of_it(callback):
    token = callback.links.token()
    page = callback.get(f"/v1/verdict/{token}", headers=HTML)
    assert page.status_code == 200
    text = words(page)
    for said in ("Close incident INC0010001?", "Nothing has happened yet", "False positive", "Benign",
                 "True positive", "released", "works once"):
        assert said in text
    assert "acme" not in page.text.replace(token, "").lower()
    assert page.headers["Content-Type"] == "text/html; charset=utf-8"
    assert page.headers["Cache-Control"] == "no-store"
    assert page.headers["Referrer-Policy"] == "no-referrer"
    assert page.headers["X-Frame-Options"] == "DENY"
    policy = page.headers["Content-Security-Policy"]
    for said in ("default-src 'none'", "frame-ancestors 'none'", "form-action 'self'", "sha256-"):
        assert said in policy
    assert "unsafe" not in policy and "<script" not in page.text


def test_the_choice_of_the_mail_is_shown_as_chosen(callback):
    path = f"/v1/verdict/{callback.links.token()}"
    for verdict in ("false_positive", "benign", "true_positive"):
        page = callback.get(f"{path}?verdict={verdict}").text
        assert re.findall(r'value="(\w+)" required checked', page) == [verdict]
    for verdict in ("", "?verdict=", "?verdict=%3Cscript%3E", "?verdict=all"):
        page = callback.get(path + verdict).text
        assert "required checked" not in page and "<script" not in page


def test_opening_a_link_changes_nothing(callback):
    """10,000 times, as mail scanners do, GET and HEAD in turn."""
    import http.client
    paths = [f"/v1/verdict/{callback.links.token()}", f"/v1/approve/{callback.links.token('approve')}"]
    redis = callback.system.redis.client
    before = sorted(redis.keys("*"))

    def opens(count):
        connection = http.client.HTTPConnection("127.0.0.1", callback.port, timeout=20)
        seen = set()
        for i in range(count):
            connection.request("HEAD" if i % 4 == 0 else "GET", paths[i % 2], headers=HTML)
            response = connection.getresponse()
            seen.add((response.status, bool(response.read()) or i % 4 == 0))
        connection.close()
        return seen

    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        assert set().union(*pool.map(opens, [2500] * 4)) == {(200, True)}
    assert sorted(redis.keys("*")) == before and callback.closures() == []
    assert answer(callback, token=paths[0].rsplit("/", 1)[1], verdict="benign").status_code == 202


# -- acting

@pytest.mark.parametrize("verdict", ["false_positive", "benign", "true_positive"])
def test_a_verdict_is_stored(callback, verdict):
    token = callback.links.token()
    page = answer(callback, token=token, verdict=verdict)
    assert page.status_code == 202 and "Your answer is stored" in words(page)
    entry, = callback.closures()
    assert {name: entry.get(name) for name in ("op", "via", "incident", "customer", "instance", "sys_id",
                                               "number", "verdict", "token")
            } == {"op": "verdict", "via": "link", "incident": INCIDENT, "customer": "acme",
                  "instance": "snow-main", "sys_id": SYS_ID, "number": "INC0010001",
                  "verdict": verdict, "token": token}
    assert not entry.get("code")


def test_an_approval_is_stored_with_its_code(callback):
    token = callback.links.token("approve")
    page = callback.get(f"/v1/approve/{token}", headers=HTML)
    assert "Isolate the host of incident INC0010001?" in words(page)
    done = answer(callback, "approve", token=token, code=code().lower().replace("-", " "))
    assert done.status_code == 202
    entry, = callback.closures()
    assert (entry["op"], entry["via"], entry["code"]) == ("approve", "link", code().replace("-", ""))


def test_one_link_acts_once_among_a_hundred(callback):
    token = callback.links.token()
    with concurrent.futures.ThreadPoolExecutor(50) as pool:
        pages = list(pool.map(lambda _: answer(callback, token=token, verdict="benign"), range(100)))
    assert len(callback.closures()) == 1
    statuses = sorted(page.status_code for page in pages)
    assert statuses == [200] * 99 + [202]
    assert all("arrived before" in words(page) for page in pages if page.status_code == 200)


def test_of_two_choices_the_first_counts(callback):
    token = callback.links.token()
    verdicts = ["benign", "false_positive", "true_positive"]
    with concurrent.futures.ThreadPoolExecutor(30) as pool:
        pages = list(pool.map(lambda i: answer(callback, token=token, verdict=verdicts[i % 3]), range(60)))
    entry, = callback.closures()
    assert [page.status_code for page in pages].count(202) == 1
    for i, page in enumerate(pages):
        if verdicts[i % 3] == entry["verdict"]:
            assert page.status_code in (200, 202)
        else:
            assert page.status_code == 409 and "used before" in words(page)


def test_a_code_with_a_slip_is_asked_for_again(callback):
    token = callback.links.token(needs_code=True)
    for typed, said in (("", "is needed"), ("   ", "is needed"), ("K7QM-4XPT", "cannot be the code"),
                        ("0000-0000", "cannot be the code"), ("x" * 500, "cannot be the code")):
        page = answer(callback, token=token, verdict="benign", code=typed)
        assert page.status_code == 400 and said in words(page)
        # What was chosen is still chosen, and the form still works.
        assert re.findall(r'value="(\w+)" required checked', page.text) == ["benign"]
        assert token in page.text and 'action="verdict"' in page.text
    assert callback.closures() == []
    assert answer(callback, token=token, verdict="benign", code=code()).status_code == 202


def test_a_code_of_another_ticket_may_be_corrected_a_few_times(callback):
    token = callback.links.token("approve")
    tried = [code("222222" + LETTERS[i]) for i in range(8)]
    statuses = [answer(callback, "approve", token=token, code=each).status_code for each in tried]
    assert statuses == [202] * 5 + [429] * 3
    assert len(callback.closures()) == 5


@pytest.mark.parametrize("fields", [{}, {"verdict": ""}, {"verdict": "all"}, {"verdict": "Benign"}])
def test_a_verdict_must_be_chosen(callback, fields):
    page = answer(callback, token=callback.links.token(), **fields)
    assert page.status_code == 400 and "choose one of the three" in words(page)
    assert callback.closures() == []


# -- links that are no good

def bad_links(callback):
    links = callback.links
    other = LinkKeys(callback.system.folder / "other", key_id="test")
    good = links.token()
    return {
        "expired": (links.token(expires_in=-1), 410, "link-expired", "has expired"),
        "for approval": (links.token("approve"), 403, "link-invalid", "something else"),
        "of a ticket": (links.token("close", expires_in=None), 403, "link-invalid", "something else"),
        "of another installation": (links.token(installation="prod"), 403, "link-invalid",
                                    "another Tocsin installation"),
        "of another's customer": (links.token(customer="globex"), 403, "link-invalid",
                                  "another Tocsin installation"),
        "of another partition": (links.token(partition=1), 403, "link-invalid", "installation"),
        "of another instance": (links.token(instance="snow-other"), 403, "link-invalid", "installation"),
        "of another key": (other.token(), 403, "link-invalid", "incomplete"),
        "altered": (good[:-8] + ("A" if good[-8] != "A" else "B") + good[-7:], 403, "link-invalid",
                    "incomplete"),
        "cut": (good[:-4], 403, "link-invalid", "incomplete"),
        "nothing like one": ("x", 403, "link-invalid", "incomplete"),
        "long": ("test." + "A" * 600, 403, "link-invalid", "incomplete"),
    }


@pytest.fixture
def other_folder(system):
    (system.folder / "other").mkdir()


def test_every_bad_link_has_its_page(callback, other_folder):
    for what, (token, status, name, said) in bad_links(callback).items():
        for page in (callback.get(f"/v1/verdict/{token}", headers=HTML),
                     answer(callback, token=token, verdict="benign")):
            assert page.status_code == status, what
            assert said in words(page), what
        # Who reads no pages gets problem details.
        assert callback.problem(answer(callback, headers={"Accept": "application/json"}, token=token,
                                       verdict="benign")) == (status, name), what
    assert callback.closures() == []


def test_a_body_that_is_no_form(callback):
    token = callback.links.token()
    for body in (b"", b"verdict=benign", b"token=%zz", f"token={token}&token={token}".encode(),
                 b"&".join(b"a%d=1" % i for i in range(20))):
        refused = callback.post("/v1/verdict", data=body)
        assert callback.problem(refused) == (400, "malformed-body")
    large = callback.post("/v1/verdict", data=b"token=" + b"x" * 5000)
    assert large.status_code == 413
    assert callback.problem(callback.get(f"/v1/verdict?token={token}")) == (405, "method-not-allowed")
    assert callback.closures() == []


def test_who_guesses_links_waits(callback):
    answers = [callback.get(f"/v1/verdict/test.{i}") for i in range(80)]
    assert answers[0].status_code == 403
    assert callback.problem(answers[-1]) == (429, "too-many-requests")
    assert int(answers[-1].headers["Retry-After"]) >= 1


def test_links_signed_before_a_change_of_keys_still_work(callback):
    token = callback.links.token()
    callback.process.stop()
    callback.system.tocsin("keygen", "--link")
    assert callback.links.public_file.read_text().count("\n") == 2
    callback.start()
    assert callback.get(f"/v1/verdict/{token}").status_code == 200


def test_a_lost_answer_costs_nothing(callback):
    token = callback.links.token()
    callback.system.redis.stop()
    page = answer(callback, token=token, verdict="benign")
    assert page.status_code == 503 and "send it again" in words(page)
    callback.system.redis.start()
    wait_until(lambda: answer(callback, token=token, verdict="benign").status_code in (200, 202),
               what="stored")
    assert len(callback.closures()) == 1


# -- in a browser

@pytest.mark.skipif(bool(missing()), reason=missing() or "there is a browser")
@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_people_can_use_the_pages(callback, tmp_path, size, dark):
    def check(driver, name):
        width = driver.execute_script("return document.documentElement.scrollWidth")
        assert width <= size[0], f"{name} is {width} wide"
        # The style sheet was let through by the policy, and nothing was stopped by it.
        assert driver.execute_script(
            "return getComputedStyle(document.querySelector('main')).position") == "relative"
        assert not [line for line in driver.get_log("browser") if "Content Security" in line["message"]]
        driver.save_screenshot(str(tmp_path / f"{name}.png"))

    def find(driver, selector):
        return driver.find_element("css selector", selector)

    with browser(tmp_path, size, dark) as driver:
        driver.get(f"{callback.url}/v1/verdict/{callback.links.token(needs_code=True)}?verdict=benign")
        check(driver, "verdict")
        assert find(driver, "input:checked").get_attribute("value") == "benign"
        find(driver, "#code").send_keys("k7qm4xpt")
        find(driver, "button").click()
        check(driver, "wrong")
        assert "cannot be the code" in find(driver, "[role=alert]").text
        assert callback.closures() == []
        find(driver, "#code").send_keys(code().lower())
        find(driver, "button").click()
        check(driver, "result")
        assert find(driver, "h1").text == "Your answer is stored"
        entry, = callback.closures()
        assert entry["verdict"] == "benign" and entry["code"] == code().replace("-", "")
        # Reloading posts the form again, and counts once.
        driver.refresh()
        assert "arrived before" in find(driver, "h1").text
        assert len(callback.closures()) == 1

        driver.get(f"{callback.url}/v1/approve/{callback.links.token('approve')}")
        check(driver, "approve")
        find(driver, "button").click()
        assert "approve" in driver.current_url and find(driver, "h1").text.startswith("Isolate")
        find(driver, "#code").send_keys(code())
        find(driver, "button").click()
        check(driver, "approved")
        assert len(callback.closures()) == 2

        driver.get(f"{callback.url}/v1/verdict/{callback.links.token(expires_in=-1)}")
        check(driver, "expired")
        assert find(driver, "h1").text == "This link has expired"


def test_the_form_of_a_public_url_with_a_path(callback):
    """Behind a proxy that takes a path away, the form still goes to its neighbour."""
    page = callback.get(f"/v1/verdict/{callback.links.token()}").text
    action = re.search(r'action="([^"]+)"', page)[1]
    assert urllib.parse.urljoin("https://x.example/tocsin/v1/verdict/token", action
                                ) == "https://x.example/tocsin/v1/verdict"
