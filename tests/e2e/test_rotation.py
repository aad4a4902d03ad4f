"""Keys are rotated while everything runs, as docs/operations.md has it; no work is lost and nobody is locked out."""
import json

from harness import wait_until
from harness.events import threat_detected
from harness.system import SYS_ID


def keys_in(file):
    return [line.split()[0] for line in file.read_text().splitlines()]


def test_every_key_is_rotated_while_all_runs(system):
    system.servicenow()
    system.threat_response()
    system.customer("acme", source={"interval": "10s"})
    secret = system.pusher("acme")
    system.apply()
    system.start("setup", "collector", "normalizer", "incident")
    callback = system.callback()
    pushed = iter(range(100))

    def becomes_a_ticket(number):
        events = [threat_detected(number)]
        system.emit("acme", events)
        wait_until(lambda: system.settled("acme", events), 40, f"ticket {number}")
        assert not [each for each in system.tocsin("account", "list")["accounts"] if each["parked"]]

    def is_taken(*secrets):
        for word in secrets:
            body = [{"customer_name": "Acme", "event_type": f"Push {next(pushed)}", "target_device": "pc-1",
                     "datetime_event": "2026-11-22T02:00:00Z", "raw_observables_string": "203.0.113.9"}]
            wait_until(lambda word=word, body=body: system.caller().push("acme/generic", body, word).status == 202,
                       20, "a push is taken")

    def callback_again():
        nonlocal callback
        callback.stop()
        system.services.remove(callback)
        callback = system.callback()

    becomes_a_ticket(1)
    is_taken(secret)

    # The master key: one command, no restart; then the old one goes.
    old = keys_in(system.key_file)
    assert system.tocsin("keygen", "--reseal")["left"] == 0
    assert keys_in(system.key_file)[1:] == old
    assert system.tocsin("keygen", "--finish")["forgotten"] == 1
    assert keys_in(system.key_file) == keys_in(system.key_file)[:1] != old
    becomes_a_ticket(2)

    # The callback's: what is sealed with it is sealed anew; then the old one goes.
    system.tocsin("keygen", "--callback")
    system.tocsin("keygen", "--callback", "--finish", expect=1)  # the push secret needs the older one
    assert system.tocsin("customer", "reseal")["left"] == 0
    newer = system.tocsin("push", "rotate", "acme")["secret"]
    is_taken(secret, newer)
    assert system.tocsin("keygen", "--callback", "--finish")["forgotten"] == 1
    is_taken(secret, newer)
    callback_again()
    is_taken(secret, newer)
    assert system.redis.client.xlen(system.key_name("dead")) == 0


def test_a_vendors_secret_is_replaced_and_its_work_goes_on(system):
    """Changed at the vendor first, which is the worst case: the account is parked until ours is changed, too."""
    system.servicenow(callback={"instance_name": "main"})
    system.threat_response()
    system.customer("acme", source={"interval": "10s"})
    system.apply()
    system.sandbox.servicenow("main", "tocsin", "another-secret", SYS_ID)
    events = [threat_detected(1), threat_detected(2)]
    system.emit("acme", events)
    system.start("setup", "collector", "normalizer", "incident")
    wait_until(lambda: next(each for each in system.tocsin("account", "list")["accounts"]
                            if each["id"] == "snow-main")["parked"], 40, "parked")
    new = system.folder / "new-secret"
    new.write_text("another-secret\n")
    system.tocsin("account", "secret", "snow-main", "--secret-file", f"servicenow={new}")
    assert json.loads((system.config / "accounts" / "snow-main.json").read_text())["callback"] == {"instance_name": "main"}
    # Until the new file is applied one more try may park it again.
    wait_until(lambda: system.tocsin("account", "resume", "snow-main") and system.settled("acme", events), 40,
               "both tickets", every=1)
    assert system.redis.client.xlen(system.key_name("dead")) == 0
