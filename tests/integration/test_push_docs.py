"""The commands of docs/push.md do what the page says."""
import json
import os
import pathlib
import re
import subprocess

PAGE = (pathlib.Path(__file__).parents[2] / "docs/push.md").read_text()


def test_the_request_of_the_page_is_accepted(system):
    secret = system.pusher("acme")
    system.apply()
    system.callback()
    (script,) = re.findall(r"```sh\n(.*?)```", PAGE, re.S)
    done = subprocess.run(["sh", "-euc", script], capture_output=True, text=True, timeout=30, check=False,
                          env={**os.environ, "SECRET": secret, "URL": f"http://127.0.0.1:{system.callback_port}"})
    assert done.returncode == 0, done.stderr + done.stdout
    assert json.loads(done.stdout) == {"accepted": 1, "duplicate": 0}
    (entry,) = [fields for _, fields in system.redis.client.xrange(system.key_name("raw"))]
    assert json.loads(entry["payload"])["target_device"] == "pc-17"


def test_the_commands_of_the_page_work(system):
    system.pusher("acme", "wazuh=id")
    block = re.search(r"## Letting somebody push\n\n((?:    .*\n)+)", PAGE).group(1)
    commands = [line.split("#")[0].split()[1:] for line in block.splitlines()]
    assert len(commands) == 5
    for command in commands:
        system.tocsin(*command)
