"""The client without services: commands, files, secrets, what is refused."""
import base64
import fcntl
import json
import os
import pathlib
import pty
import re
import select
import signal
import stat
import subprocess
import time

import pytest

from harness import build_dir
from harness.system import SYS_ID

SECRET = "plain-Secret-42"
TOCSIN = str(build_dir() / "tocsin")


class Client:
    """The client with a folder and a key of its own. Every run's arguments and output are kept, so
    that a test can look for what must not be in them."""

    def __init__(self, folder):
        self.folder = folder
        self.config = folder / "config"
        self.config.mkdir()
        self.seen = []
        self.env = {"PATH": os.environ["PATH"], "TOCSIN_CONFIG_DIR": str(self.config),
                    "TOCSIN_KEY_FILE": str(folder / "key"),
                    "TOCSIN_REDIS_URL": f"unix:{folder}/no-redis.sock"}
        for key in ("ASAN_OPTIONS", "UBSAN_OPTIONS", "LSAN_OPTIONS"):
            if key in os.environ:
                self.env[key] = os.environ[key]
        self.secret_file = folder / "given-secret"
        self.secret_file.write_text(SECRET + "\n")

    def run(self, *args, expect=0, stdin=None, **env):
        """(stdout, stderr)"""
        done = subprocess.run([TOCSIN, *map(str, args)], env={**self.env, **env}, input=stdin,
                              stdin=subprocess.DEVNULL if stdin is None else None,
                              capture_output=True, text=True, timeout=60)
        self.seen.append(" ".join(map(str, args)) + done.stdout + done.stderr)
        assert done.returncode == expect, (args, done.returncode, done.stdout, done.stderr)
        return done.stdout, done.stderr

    def json(self, *args, **options):
        return json.loads(self.run(*args, "--json", **options)[0])

    def error(self, *args, expect=1, **options):
        """The one line on stderr."""
        out, err = self.run(*args, expect=expect, **options)
        assert out == "", out
        assert err.startswith("tocsin: ") and err.count("\n") == 1, err
        return err

    def files(self):
        """{path: bytes} of the configuration folder."""
        return {str(path.relative_to(self.config)): path.read_bytes()
                for path in self.config.rglob("*") if path.is_file()}

    def customer(self, name):
        return json.loads((self.config / "customers" / f"{name}.json").read_text())

    def add(self, name, *more):
        self.run("customer", "add", name, "--secure-endpoint-region", "eu",
                 "--secure-endpoint-client-id", f"client-{name}",
                 "--secret-file", f"secure_endpoint={self.secret_file}", *more)


@pytest.fixture
def client(tmp_path):
    client = Client(tmp_path)
    client.run("keygen")
    return client


TICKETS = ["--servicenow-account", "now", "--caller-id", SYS_ID["caller_id"],
           "--company", SYS_ID["company"], "--assignment-group", SYS_ID["assignment_group"]]


def add_account(client):
    client.run("account", "add", "now", "--kind", "servicenow", "--url",
               "https://now.service-now.com", "--username", "tocsin",
               "--secret-file", f"servicenow={client.secret_file}")


# ---- help, completion, usage


def test_tls_to_redis(client):
    """A build without it says so, and what to do; one that has it tries."""
    linked = subprocess.run(["ldd", TOCSIN], capture_output=True, text=True, check=True).stdout
    error = client.error("status", expect=5 if "hiredis_ssl" in linked else 2, TOCSIN_REDIS_URL="rediss://localhost:1")
    if "hiredis_ssl" in linked:
        assert "Redis at localhost: Connection refused" in error
    else:
        assert "TOCSIN_REDIS_URL: this build has no TLS to Redis" in error and "through a tunnel" in error


def test_help_tells_about_every_command(client):
    overview = client.run("help")[0]
    commands = client.json("help")["commands"]
    assert len(commands) > 25
    for command in commands:
        assert f"  {command['name']}" in overview
        text = client.run("help", *command["name"].split())[0]
        assert f"usage: tocsin {command['name']}" in text
        assert text == client.run(*command["name"].split(), "--help")[0]
        for option in command["options"]:
            assert f"--{option['name']}" in text
    assert "TOCSIN_CONFIG_DIR" in client.run("help", "settings")[0]
    assert "customer import" in client.run("help", "customer")[0]


def test_the_reference_is_up_to_date(client):
    page = pathlib.Path(__file__).resolve().parents[2] / "docs" / "cli.md"
    assert client.run("help", "--markdown")[0] == page.read_text()


@pytest.mark.parametrize("words,wanted", [
    (["tocsin", "cust"], "customer"),
    (["tocsin", "customer", "im"], "import"),
    (["tocsin", "customer", "import", "--dry"], "--dry-run"),
    (["tocsin", "status", "--js"], "--json"),
    (["tocsin", "customer", "show", "ac"], "acme"),
])
def test_bash_completes(client, words, wanted):
    client.add("acme")
    script = client.run("completion", "bash")[0] + f"""
COMP_WORDS=({' '.join(words)}); COMP_CWORD={len(words) - 1}; _tocsin; printf '%s\\n' "${{COMPREPLY[@]}}"
"""
    done = subprocess.run(["bash", "-c", script], env=client.env, capture_output=True, text=True)
    assert done.stderr == ""
    assert wanted in done.stdout.split()


def test_zsh_completion_is_the_same_function(client):
    script = client.run("completion", "zsh")[0]
    assert script.startswith("#compdef tocsin") and "bashcompinit" in script
    client.error("completion", "fish", expect=2)


@pytest.mark.parametrize("args,says", [
    (["custmer", "list"], "did you mean 'customer list'?"),
    (["customer", "lst"], "did you mean 'customer list'?"),
    (["statsu"], "did you mean 'status'?"),
    (["xyzzy"], "see tocsin help"),
    (["customer"], "see: tocsin help customer"),
    (["status", "--jsn"], "did you mean --json?"),
    (["customer", "show"], "usage: tocsin customer show ID"),
    (["customer", "show", "a", "b"], "one argument too many"),
    (["incident", "list", "--limit", "many"], "give a number from 1 to 10000"),
    (["incident", "list", "--state", "opn"], "must be opening, open"),
    (["dead", "replay"], "name entries, or give --all"),
    (["setup", "--watch", "--json"], "logs JSON lines"),
])
def test_usage_errors_say_what_to_do(client, args, says):
    out, err = client.run(*args, expect=2)
    assert says.lower() in err.lower() and err.count("\n") == 1


def test_unknown_settings_are_refused(client):
    err = client.error("customer", "list", expect=2, TOCSIN_CONFIG_DRI="/x")
    assert "TOCSIN_CONFIG_DRI" in err and "did you mean TOCSIN_CONFIG_DIR?" in err
    err = client.error("status", expect=2, TOCSIN_CALL_DEADLINE="soon")
    assert "TOCSIN_CALL_DEADLINE" in err


def test_what_cannot_be_opened_is_named(client):
    assert "no-redis.sock" in client.error("status", expect=5)
    assert "TOCSIN_CONFIG_DIR" in client.error("customer", "list", TOCSIN_CONFIG_DIR="/nonexistent")
    err = client.error("customer", "add", "acme", "--secure-endpoint-region", "eu",
                       "--secure-endpoint-client-id", "x", "--secret-file",
                       f"secure_endpoint={client.secret_file}", TOCSIN_KEY_FILE="/nonexistent")
    assert "/nonexistent" in err
    assert client.files() == {}
    client.run("help", TOCSIN_CONFIG_DRI="/x")  # help helps even then


# ---- JSON

EVERY = [
    ["help"], ["completion", "bash"], ["setup"], ["keygen"], ["customer", "add", "a1"],
    ["customer", "apply", "/nonexistent"], ["customer", "import", "/nonexistent"],
    ["customer", "list"], ["customer", "show", "acme"], ["customer", "verify"],
    ["customer", "pause", "acme"], ["customer", "resume", "acme"], ["customer", "remove", "nobody"],
    ["customer", "reseal"], ["customer", "secret", "acme"], ["account", "add", "x"], ["account", "secret", "x"], ["account", "apply", "/nonexistent"],
    ["account", "list"], ["account", "show", "now"], ["account", "verify", "nobody"],
    ["account", "resume", "x"], ["account", "remove", "now"], ["status"], ["incident", "list"],
    ["incident", "show", "INC1"], ["incident", "retry", "INC1"], ["incident", "close", "INC1"],
    ["incident", "reopen", "INC1"], ["incident", "release", "INC1"], ["containment", "list"],
    ["containment", "approve", "INC1"], ["containment", "release", "INC1"],
    ["containment", "write-off", "INC1", "--reason", "x"], ["freeze"], ["unfreeze"],
    ["trace", "1"], ["dead", "list"], ["dead", "show", "1-1"], ["rules", "list"],
    ["rules", "check", "/nonexistent"], ["rules", "test", "/nonexistent"],
    ["dead", "replay", "1-1"], ["dead", "drop", "1-1"], ["dead", "export", "/nonexistent/x"], ["backup", "/nonexistent/x"], ["restore", "/nonexistent"],
    ["push", "add", "acme", "--source", "generic"], ["push", "rotate", "acme"],
    ["push", "send", "acme", "generic", "/nonexistent"], ["collect"], ["replay"], ["audit"],
    ["push", "show", "acme"], ["push", "remove", "acme"], ["servicenow", "kit", "now"], ["servicenow", "test", "now"], ["canary", "now"],
    ["servicenow", "connect", "now"], ["servicenow", "rotate", "now"], ["servicenow", "disconnect", "now"],
    ["source", "check", "/nonexistent"], ["template", "check"], ["template", "show", "default"], ["template", "test", "/nonexistent"],
]


def test_every_command_prints_one_json_document(client, redis_server):
    add_account(client)
    client.add("acme")
    names = {command["name"] for command in client.json("help")["commands"]}
    assert {" ".join(args[:2]) if " ".join(args[:2]) in names else args[0] for args in EVERY} == names
    for env in ({}, {"TOCSIN_REDIS_URL": redis_server.url}):
        for args in EVERY:
            done = subprocess.run([TOCSIN, *args, "--json"], env={**client.env, **env},
                                  stdin=subprocess.DEVNULL, capture_output=True, text=True)
            document = json.loads(done.stdout)
            assert isinstance(document, dict), args
            if done.returncode in (1, 2, 3, 5):
                assert document["exit"] == done.returncode and document["error"] in done.stderr
            else:
                assert "error" not in document, args


def test_output_that_cannot_be_written_is_an_error(client):
    with open("/dev/full", "w") as full:
        done = subprocess.run([TOCSIN, "customer", "list"], env=client.env, stdout=full,
                              stderr=subprocess.PIPE, text=True)
    assert done.returncode == 1 and "cannot write" in done.stderr


# ---- keys


def test_keygen_makes_a_private_file_and_reseals(client):
    key = pathlib.Path(client.env["TOCSIN_KEY_FILE"])
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    add_account(client)
    client.add("acme")
    before = client.files()
    first = client.customer("acme")["accounts"]["secure_endpoint"]["secret"].split(".")[1]
    done = client.json("keygen", "--reseal")
    assert (done["resealed"], done["files"], done["left"]) == (2, 2, 0)
    assert len(key.read_text().splitlines()) == 2
    after = client.customer("acme")["accounts"]["secure_endpoint"]["secret"].split(".")[1]
    assert after == done["keys"][0]["key"] != first
    # The other keys were made on the first day, and no newer ones since.
    for name, mode in (("callback.key", 0o600), ("link.key", 0o600), ("link.pub", 0o644)):
        assert stat.S_IMODE((key.parent / name).stat().st_mode) == mode
        assert len((key.parent / name).read_text().splitlines()) == 1
    assert [made["kind"] for made in client.json("keygen", "--callback")["keys"]] == ["callback"]
    assert [made["kind"] for made in client.json("keygen", "--link")["keys"]] == ["link"]
    copy = str(key.parent / "callback.key")
    assert client.json("keygen", "--callback", "--file", copy)["keys"][0] | {"key": ""} == {
        "kind": "callback", "key": "", "file": copy}
    assert "--link work with the files" in client.error("keygen", "--link", "--file", "link.key", expect=2)
    assert client.json("keygen", "--missing")["keys"] == []
    assert client.files().keys() == before.keys()
    newest = key.read_text().splitlines()[0]
    assert client.json("keygen", "--finish")["forgotten"] == 1
    assert key.read_text() == newest + "\n" and stat.S_IMODE(key.stat().st_mode) == 0o600
    assert client.json("keygen", "--finish")["forgotten"] == 0
    assert client.json("customer", "reseal")["resealed"] == 0
    # What is hashed with the callback's key cannot be sealed again.
    client.run("servicenow", "connect", "now", "--instance-name", "now")
    client.run("keygen", "--callback")
    error = client.error("keygen", "--callback", "--finish")
    assert "accounts/now.json" in error and "tocsin servicenow rotate" in error
    client.run("servicenow", "rotate", "now")
    client.run("servicenow", "rotate", "now", "--finish")
    assert client.json("keygen", "--callback", "--finish")["forgotten"] == 3
    assert client.json("keygen", "--link", "--finish")["forgotten"] == 1
    assert len((key.parent / "link.pub").read_text().splitlines()) == 1
    # A bad file is counted, and left; what it holds counts as every other's.
    (client.config / "customers" / "bad.json").write_text("{")
    assert client.json("customer", "reseal", expect=4)["left"] == 1
    client.run("keygen")
    assert "tocsin customer reseal" in client.error("keygen", "--finish")


def test_a_key_file_others_can_read_is_refused(client):
    os.chmod(client.env["TOCSIN_KEY_FILE"], 0o644)
    err = client.error("customer", "add", "acme", "--secure-endpoint-region", "eu",
                       "--secure-endpoint-client-id", "x", "--secret-file",
                       f"secure_endpoint={client.secret_file}")
    assert client.env["TOCSIN_KEY_FILE"] in err
    assert client.files() == {}


# ---- secrets


def typed(client, args, answers):
    """Runs args on a terminal and types answers; what the terminal showed, and the exit status."""
    pid, terminal = pty.fork()
    if pid == 0:
        os.execve(TOCSIN, [TOCSIN, *args], client.env)
    shown, deadline = b"", time.monotonic() + 30
    while time.monotonic() < deadline:
        if not select.select([terminal], [], [], 0.2)[0]:
            continue
        try:
            part = os.read(terminal, 4096)
        except OSError:
            break
        if not part:
            break
        shown += part
        if answers and re.search(answers[0][0].encode(), shown):
            # Echo is off before the question is asked: what is typed now is not shown.
            os.write(terminal, answers.pop(0)[1].encode())
    else:
        os.kill(pid, signal.SIGKILL)
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    os.close(terminal)
    return shown.decode(), status


def test_secrets_are_asked_for_without_echo(client):
    shown, status = typed(client, ["customer", "add", "acme", "--secure-endpoint-region", "eu",
                                   "--secure-endpoint-client-id", "c1"],
                          [("Secret of secure_endpoint for acme: ", SECRET + "\r")])
    assert status == 0, shown
    assert SECRET not in shown
    assert client.customer("acme")["accounts"]["secure_endpoint"]["secret"].startswith("v1.")
    # Ctrl-C and an empty answer change nothing.
    for answer in ("\x03", "\r"):
        shown, status = typed(client, ["customer", "add", "beta", "--secure-endpoint-region", "eu",
                                       "--secure-endpoint-client-id", "c1"],
                              [("Secret of ", answer)])
        assert status == 1, shown
    assert list(client.files()) == ["customers/acme.json"]


def test_secrets_from_stdin_and_files(client):
    add_account(client)
    client.run("customer", "add", "acme", "--secure-endpoint-region", "eu",
               "--secure-endpoint-client-id", "c", "--threat-response-region", "us",
               "--threat-response-client-id", "d", "--secrets-stdin",
               stdin=json.dumps({"secure_endpoint": SECRET, "threat_response": SECRET}))
    client.run("customer", "add", "beta", "--secure-endpoint-region", "eu",
               "--secure-endpoint-client-id", "c", "--secret-file", "secure_endpoint=-",
               stdin=SECRET + "\n")
    for text, says in (("{", "stdin: line 1"), ("[]", "JSON object"), ('{"servicenow": 5}', "string"),
                       ('{"servicenow": "x"}', "secret servicenow")):
        assert says in client.error("customer", "add", "gamma", "--secure-endpoint-region", "eu",
                                    "--secure-endpoint-client-id", "c", "--secrets-stdin", stdin=text)
    err = client.error("customer", "add", "gamma", "--secure-endpoint-region", "eu",
                       "--secure-endpoint-client-id", "c")
    assert "--secret-file secure_endpoint=FILE" in err
    assert "customers/gamma.json" not in client.files()


def test_a_secret_is_replaced_and_nothing_else(client):
    """The instance's own right to call us, and all settings, stay; the end was of the secret before."""
    add_account(client)
    client.run("servicenow", "connect", "now", "--instance-name", "now")
    file = client.config / "accounts" / "now.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), "in_flight": 7, "expires": "2027-01-31"}))
    before = json.loads(file.read_text())
    client.run("account", "secret", "now", "--secret-file", "servicenow=-", stdin="another")
    after = json.loads(file.read_text())
    assert after["secret"] != before["secret"] and after["secret"].startswith("v1.")
    del before["expires"]
    assert {**after, "secret": 0} == {**before, "secret": 0}

    client.run("customer", "add", "acme", "--secure-endpoint-region", "eu", "--secure-endpoint-client-id", "c",
               "--umbrella-client-id", "d", "--secrets-stdin", stdin=json.dumps({"secure_endpoint": SECRET, "umbrella": SECRET}))
    before = client.customer("acme")["accounts"]
    shown, status = typed(client, ["customer", "secret", "acme", "umbrella", "--expires", "2027-01-31"],
                          [("Secret of umbrella for acme: ", "another\r")])
    assert status == 0, shown
    after = client.customer("acme")["accounts"]
    assert after["secure_endpoint"] == before["secure_endpoint"]
    assert after["umbrella"]["secret"] != before["umbrella"]["secret"] and after["umbrella"]["expires"] == "2027-01-31"
    assert "expires" in client.error("account", "secret", "now", "--secret-file", "servicenow=-", "--expires", "soon", stdin="x")
    files = client.files()
    for words, says in ((["acme"], "which secret?"), (["acme", "defender"], "which secret?"),
                        (["acme", "umbrella"], "--secret-file umbrella=FILE")):
        assert says in client.error("customer", "secret", *words)
    assert "there is no customer beta" in client.error("customer", "secret", "beta", "umbrella", expect=3)
    assert client.files() == files


@pytest.mark.parametrize("words", [["--password", SECRET], [f"--servicenow-secret={SECRET}"],
                                   ["--api-key", SECRET], ["--token", SECRET]])
def test_secrets_on_the_command_line_are_refused(client, words):
    done = subprocess.run([TOCSIN, "customer", "add", "acme", *words], env=client.env,
                          stdin=subprocess.DEVNULL, capture_output=True, text=True)
    assert done.returncode == 2
    assert "ps" in done.stderr and "--secret-file" in done.stderr
    assert SECRET not in done.stderr + done.stdout
    assert client.files() == {}


def test_secrets_are_nowhere_in_the_clear(client, redis_server):
    add_account(client)
    client.add("acme", *TICKETS)
    for args in (["customer", "show", "acme"], ["account", "show", "now"], ["customer", "list"],
                 ["setup"], ["status"], ["account", "list"], ["keygen", "--reseal"],
                 ["customer", "verify"]):
        for form in ([], ["--json"]):
            subprocess.run([TOCSIN, *args, *form], capture_output=True, stdin=subprocess.DEVNULL,
                           env={**client.env, "TOCSIN_REDIS_URL": redis_server.url,
                                "TOCSIN_PROXY": "http://127.0.0.1:1"})
    client.run("setup", TOCSIN_REDIS_URL=redis_server.url)
    hidden = [SECRET.encode(), base64.b64encode(SECRET.encode())]
    stored = {**client.files(), "redis": json.dumps(
        redis_server.client.hgetall("tocsin:customers")).encode(),
        "output": "\n".join(client.seen).encode()}
    assert b"v1." in stored["redis"]
    for place, data in stored.items():
        for form in hidden:
            assert form not in data, place
    for path in client.config.rglob("*.json"):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


# ---- changing files


def test_a_customer_is_added_listed_paused_and_removed(client):
    add_account(client)
    client.add("acme", *TICKETS, "--name", "Acme \u682a\u5f0f\u4f1a\u793e", "--interval", "30s",
               "--event-types", "1090519054,553648168", "--minimum-severity", "high")
    body = client.customer("acme")
    assert body["mode"] == "shadow" and body["partition"] == 0
    assert body["sources"]["secure_endpoint"]["event_types"] == [1090519054, 553648168]
    assert body["servicenow"]["company"] == SYS_ID["company"]
    row = client.json("customer", "list")["customers"][0]
    assert row["sources"] == ["secure_endpoint"] and row["targets"] == ["servicenow"]
    assert "Acme \u682a\u5f0f\u4f1a\u793e" in client.run("customer", "list")[0]
    assert client.json("customer", "resume", "acme")["changes"][0]["action"] == "replaced"
    assert client.customer("acme")["mode"] == "live"
    assert client.json("customer", "resume", "acme")["changes"][0]["action"] == "unchanged"
    client.run("customer", "pause", "acme")
    assert client.customer("acme")["mode"] == "paused"
    assert "there already" in client.error("customer", "add", "acme")
    assert "customers/acme.json" in client.error("account", "remove", "now", "--yes")
    assert "--yes" in client.error("customer", "remove", "acme")
    client.run("customer", "remove", "acme", "--yes", "--leave")
    client.run("account", "remove", "now", "--yes")
    assert client.files() == {}
    for args in (["customer", "show"], ["customer", "pause"], ["customer", "remove", "--yes"],
                 ["account", "show"], ["customer", "verify"]):
        client.error(*args, "acme", expect=3)


def test_what_is_shown_can_be_applied_again(client):
    client.add("acme")
    before = client.files()
    shown = client.json("customer", "show", "acme")
    assert "secret" not in shown["accounts"]["secure_endpoint"]
    file = client.folder / "acme.json"
    file.write_text(json.dumps(shown))
    assert client.json("customer", "apply", file)["changes"][0]["action"] == "unchanged"
    assert client.files() == before
    shown["name"] = "New name"
    client.run("customer", "apply", "-", stdin=json.dumps(shown))
    after = client.customer("acme")
    assert after["name"] == "New name"
    assert after["accounts"]["secure_endpoint"]["secret"].startswith("v1.")
    # Another address gets no secret that was given for this one.
    shown["accounts"]["secure_endpoint"] = {"url": "https://evil.example", "client_id": "client-acme"}
    assert "secret" in client.error("customer", "apply", "-", stdin=json.dumps(shown))


def test_a_seal_of_another_customer_is_refused(client):
    client.add("acme")
    body = client.customer("acme")
    body["id"] = "thief"
    before = client.files()
    assert "secure_endpoint" in client.error("customer", "apply", "-", stdin=json.dumps(body))
    body["id"] = "acme"
    client.run("customer", "remove", "acme", "--yes", "--leave")
    client.run("customer", "apply", "-", stdin=json.dumps(body))  # its own, back from a copy
    assert client.files() == before


@pytest.mark.parametrize("text,says", [
    ('{\n "id": "beta",\n oops', "line 3"),
    ('{"id": "beta", "mode": "loud"}', "mode"),
    ('{"id": "beta", "nmae": "x"}', "nmae"),
    ('{"id": "Beta!"}', "id"),
    ('{"id": "beta", "accounts": {"secure_endpoint": {"region": "mars", "client_id": "x", '
     '"secret": "y"}}}', "accounts.secure_endpoint.region"),
    ('{"id": "beta", "servicenow": {"account": "nobody"}}', "servicenow"),
    ('{"id": "acme", "partition": 7}', "partition"),
    ('[]', "JSON object"),
    ('{"id": "beta", "id": "beta"}', "duplicate"),
])
def test_bad_files_change_nothing(client, text, says):
    client.add("acme")
    before = client.files()
    good, bad = client.folder / "good.json", client.folder / "bad.json"
    good.write_text('{"id": "good"}')
    bad.write_text(text)
    err = client.error("customer", "apply", good, bad)
    assert says in err and (str(bad) in err or "customers/beta.json" in err)
    assert client.files() == before
    assert not [path for path in client.config.rglob(".*")]


def test_a_full_disk_changes_nothing(client):
    """Every new file is on the disk before the first old one is replaced."""
    client.add("acme")
    before = client.files()
    shown = client.json("customer", "show", "acme")
    (client.folder / "a.json").write_text(json.dumps({**shown, "name": "changed"}))
    # The first file fits, the second does not.
    types = {"sources": {"secure_endpoint": {"event_types": list(range(1, 400))}}}
    (client.folder / "b.json").write_text(json.dumps({**shown, **types, "id": "big", "accounts": {
        "secure_endpoint": {**shown["accounts"]["secure_endpoint"], "secret": SECRET}}}))
    done = subprocess.run(["bash", "-c", f"ulimit -f 1; trap '' XFSZ; exec {TOCSIN} customer apply "
                           f"{client.folder}/a.json {client.folder}/b.json"],
                          env=client.env, capture_output=True, text=True)
    assert done.returncode == 1 and "cannot write" in done.stderr
    assert client.files() == before


def test_one_bad_file_does_not_stop_the_others(client):
    client.add("acme")
    (client.config / "customers" / "bad.json").write_text('{"id": "bad", "mode": 5}')
    client.add("beta")
    rows = {row["id"]: row for row in client.json("customer", "list", expect=4)["customers"]}
    assert "mode" in rows["bad"]["problem"] and rows["acme"]["problem"] is None


# ---- import


def basic(client_id, secret):
    return base64.b64encode(f"{client_id}:{secret}".encode()).decode()


def test_the_older_table_is_imported(client):
    add_account(client)
    table = client.folder / "old.csv"
    table.write_text("customer_name,encoded_amp_api_credentials,encoded_umb_api_credentials,umb_org_ID\n"
                     f"Acme & Sons,{basic('id1', SECRET)},{basic('u', 'v')},123\n"
                     f"Beta,{basic('id2', SECRET)},empty,empty\n")
    done = client.json("customer", "import", table, "--dry-run", *TICKETS)
    assert done["dry_run"] and "customers/beta.json" not in client.files()
    done = client.json("customer", "import", table, *TICKETS)
    assert [change["id"] for change in done["changes"]] == ["acme-sons", "beta"]
    body = client.customer("acme-sons")
    assert body["name"] == "Acme & Sons"
    assert body["accounts"]["secure_endpoint"]["client_id"] == "id1"
    assert body["accounts"]["secure_endpoint"]["region"] == "nam"
    umbrella = body["accounts"]["umbrella"]
    assert (umbrella["auth"], umbrella["client_id"], umbrella["org_id"]) == ("legacy", "u", "123")
    assert set(body["sources"]) == {"secure_endpoint", "umbrella"}
    assert "umbrella" not in client.customer("beta")["accounts"]
    assert body["servicenow"]["account"] == "now"
    assert SECRET not in json.dumps(body)
    assert "--update" in client.error("customer", "import", table)
    client.run("customer", "import", table, "--update", "--secure-endpoint-region", "eu")
    assert client.customer("beta")["accounts"]["secure_endpoint"]["region"] == "eu"


@pytest.mark.parametrize("row,says", [
    ("beta,mars,c,s", "line 3: accounts.secure_endpoint.region"),
    ("beta,eu,c,", "line 3: accounts.secure_endpoint.secret"),
    ("beta,eu,c", "line 3: 3 fields"),
    ("acme,eu,c,s", "line 3: customer acme is there twice"),
    ('"beta,eu,c,s', "line 3: a quote is never closed"),
    ("UPPER,eu,c,s", "line 3: id"),
])
def test_one_bad_row_imports_nothing(client, row, says):
    table = client.folder / "new.csv"
    table.write_text("id,secure_endpoint_region,secure_endpoint_client_id,secure_endpoint_secret\n"
                     f"acme,eu,c,{SECRET}\n{row}\n")
    assert says in client.error("customer", "import", table)
    assert client.files() == {}


def test_of_two_commands_at_once_one_wins(client):
    for number in range(6):
        running = [subprocess.Popen([TOCSIN, "customer", "add", f"c{number}", "--name", f"n{name}"],
                                    env=client.env, stdin=subprocess.DEVNULL,
                                    stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
                   for name in range(6)]
        assert sorted(process.wait(60) for process in running) == [0, 1, 1, 1, 1, 1]
    assert len(client.json("customer", "list")["customers"]) == 6


def test_a_command_that_was_left_open_does_not_stop_others_silently(client):
    folder = os.open(client.config, os.O_RDONLY)
    fcntl.flock(folder, fcntl.LOCK_EX)
    assert "another tocsin is changing the files" in client.error("customer", "add", "acme")
    os.close(folder)
    client.run("customer", "add", "acme")
