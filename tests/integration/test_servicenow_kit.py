"""tocsin servicenow kit: the update set is well formed, stable, and its rule does what it says."""
import json
import os
import pathlib
import shutil
import subprocess
import xml.etree.ElementTree as ET

import pytest

BUILD = pathlib.Path(os.environ.get("TOCSIN_BUILD", "build/release")).resolve()
RULES = pathlib.Path(__file__).resolve().parents[1] / "servicenow"
ACCOUNT = {"id": "snow", "kind": "servicenow", "url": "https://example.service-now.com", "auth": "basic",
           "username": "tocsin.api"}


@pytest.fixture
def kit(tmp_path):
    """Writes a kit and returns its folder."""
    config = tmp_path / "config"
    (config / "customers").mkdir(parents=True)
    (config / "accounts").mkdir()

    def run(*options, account=None, url="https://tocsin.example.com", expect=0):
        environment = {"PATH": os.environ["PATH"], "TOCSIN_CONFIG_DIR": str(config),
                       "TOCSIN_KEY_FILE": str(tmp_path / "key"), "TOCSIN_INSTALLATION": "main"}
        if url:
            environment["TOCSIN_PUBLIC_URL"] = url
        if not (tmp_path / "key").exists():
            subprocess.run([BUILD / "tocsin", "keygen"], env=environment, check=True, capture_output=True)
            subprocess.run([BUILD / "tocsin", "account", "apply", "-"], env=environment, check=True,
                           input=json.dumps({**(account or ACCOUNT), "secret": "s3cret"}), text=True,
                           capture_output=True)
        done = subprocess.run([BUILD / "tocsin", "servicenow", "kit", "snow", "--output", tmp_path / "kit",
                               *options], env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == expect, done.stderr
        return tmp_path / "kit" if expect == 0 else done.stderr
    return run


def payloads(path):
    root = ET.parse(path).getroot()
    for update in root.iter("sys_update_xml"):
        text = update.findtext("payload")
        yield update, text, ET.fromstring(text.encode())


def java_hash(text):
    value = 0
    for char in text:
        value = (value * 31 + ord(char)) & 0xFFFFFFFF
    return value - (1 << 32) if value >= 1 << 31 else value


def test_update_set_is_whole(kit):
    folder = kit()
    assert sorted(path.name for path in folder.iterdir()) == [
        "tocsin-main-snow-uninstall.xml", "tocsin-main-snow.md", "tocsin-main-snow.xml"]
    root = ET.parse(folder / "tocsin-main-snow.xml").getroot()
    head = root.find("sys_remote_update_set")
    assert (head.findtext("state"), head.findtext("name")) == ("loaded", "Tocsin main")
    tables = []
    for update, text, payload in payloads(folder / "tocsin-main-snow.xml"):
        record = payload[0]
        tables.append(record.tag)
        assert update.findtext("name") == f"{record.tag}_{record.findtext('sys_id')}"
        assert update.find("remote_update_set").text == head.findtext("sys_id")
        assert int(update.findtext("payload_hash")) == java_hash(text)
        assert record.get("action") == update.findtext("action") == "INSERT_OR_UPDATE"
        assert len(record.findtext("sys_id")) == 32
    assert tables == ["sys_rest_message", "sys_rest_message_fn", "sys_script"]
    script = [payload[0] for _, _, payload in payloads(folder / "tocsin-main-snow.xml")][2]
    assert script.findtext("when") == "async"
    assert "^sys_updated_by!=tocsin.api^" in script.findtext("filter_condition")
    assert "@" not in script.findtext("script")
    assert "@" not in (folder / "tocsin-main-snow.md").read_text()


def test_same_link_same_ids(kit):
    def ids(name):
        return [payload[0].findtext("sys_id") for _, _, payload in payloads(kit() / name)]
    first = ids("tocsin-main-snow.xml")
    assert first == ids("tocsin-main-snow.xml") == ids("tocsin-main-snow-uninstall.xml")
    assert len(set(first)) == 3


def test_uninstall_deletes_and_carries_nothing(kit):
    for update, _, payload in payloads(kit() / "tocsin-main-snow-uninstall.xml"):
        assert payload[0].get("action") == update.findtext("action") == "DELETE"
        assert payload[0].find("script") is None


def test_what_is_missing_is_said(kit):
    assert "TOCSIN_PUBLIC_URL" in kit(url=None, expect=1)


def test_oauth_account_needs_the_users_name(kit):
    oauth = {**ACCOUNT, "auth": "oauth", "client_id": "0123456789abcdef"}
    del oauth["username"]
    assert "--integration-user" in kit(account=oauth, expect=1)
    kit("--integration-user", "tocsin.api")


@pytest.mark.skipif(not shutil.which("node"), reason="no node")
def test_rules_run_as_in_an_instance(kit):
    environment = {**os.environ, "KIT": str(kit() / "tocsin-main-snow.xml")}
    done = subprocess.run(["node", "--test", RULES / "rules.test.js"], env=environment, capture_output=True,
                          text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
