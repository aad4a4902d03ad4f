"""A customer is removed: never while hosts stay contained without anybody knowing, and with what Redis holds
of it if that is wanted."""
import json

from harness import wait_until
from test_loss import Estate


def keys_of(system, customer):
    client = system.redis.client
    found = [k for k in client.keys("tocsin:*") if f":{customer}" in k.split("}:")[-1]]
    found += [k for k in client.keys(system.key_name("incident:" + "?" * 16)) if client.hget(k, "customer") == customer]
    for name in ("hosts", "approvals", "stuck"):
        found += [m for m in client.zrange(system.key_name(f"containment:{name}"), 0, -1) if m.startswith(customer + " ")]
    return found


def test_remove_release_and_purge(system):
    estate = Estate(system, setup_user=True)
    client = system.redis.client
    link = {"TOCSIN_LINK_KEY_FILE": str(system.folder / "link.key")}
    estate.story()
    others = [system.key_name("seen:acme-2:secure_endpoint:1"), "tocsin:account:acme-2.secure_endpoint"]
    client.mset(dict.fromkeys(others, "theirs"))
    # Refused, whichever way it is not said what becomes of them.
    refused = system.tocsin("customer", "remove", "acme", "--yes", expect=1)["error"]
    assert "2 hosts of acme are contained" in refused and "--release" in refused
    system.tocsin("customer", "remove", "acme", "--yes", "--release", "--leave", expect=2, **link)
    system.tocsin("customer", "remove", "acme", "--yes", expect=5, TOCSIN_REDIS_URL="unix:/nowhere")
    assert (system.config / "customers/acme.json").exists() and len(estate.contained()) == 2
    # Nothing is done for a customer that is paused: it is told at once.
    system.tocsin("customer", "pause", "acme")
    wait_until(lambda: json.loads(client.hget("tocsin:customers", "acme"))["mode"] == "paused", 20, "applied")
    refused = system.tocsin("customer", "remove", "acme", "--yes", "--release", expect=1, **link)["error"]
    assert "acme is not live" in refused
    system.tocsin("customer", "resume", "acme")
    wait_until(lambda: json.loads(client.hget("tocsin:customers", "acme"))["mode"] == "live", 20, "applied")
    # Let go first.
    system.tocsin("customer", "remove", "acme", "--yes", "--release", "--purge", **link)
    assert not (system.config / "customers/acme.json").exists()
    assert estate.isolation(4) == estate.isolation(5) == "not_isolated"
    wait_until(lambda: not (system.config / "removed/acme").exists(), 40, "erased, and no longer asked for")
    left = [k for k in keys_of(system, "acme") if "acme-2" not in k]
    assert not left, left
    assert client.mget(others) == ["theirs"] * 2, "another customer's, whose name begins the same"
    assert not client.hexists("tocsin:customers", "acme")
    assert not client.execute_command("ACL", "LOG")
