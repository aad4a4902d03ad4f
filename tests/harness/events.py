"""Secure Endpoint events: what a real one weighs (about 2.3 KB), with values of our own."""
import hashlib
import json
import time


def threat_detected(number, host=None, detection=None, when=None):
    """One Threat Detected event; every number is a problem of its own unless detection says so."""
    seconds = int(when if when is not None else time.time())
    digest = [hashlib.sha256(f"{number}-{i}".encode()).hexdigest() for i in range(4)]
    host = host if host is not None else number % 5000
    guid = f"{digest[1][:8]}-{digest[1][8:12]}-4{digest[1][13:16]}-8{digest[1][17:20]}-{host:012x}"
    base = "https://api.amp.example.com/v1/computers"
    return {
        "id": 6533241145273600000 + number,
        "timestamp": seconds,
        "timestamp_nanoseconds": (number * 1000) % 1000000000,
        "date": time.strftime("%Y-%m-%dT%H:%M:%S+00:00", time.gmtime(seconds)),
        "event_type": "Threat Detected",
        "event_type_id": 1090519054,
        "detection": f"W32.{digest[0][:10].upper()}-95.SBX.TG",
        "detection_id": str(detection if detection is not None else 5700000000000000000 + number),
        "connector_guid": guid,
        "group_guids": ["6c3c2005-4c74-4ba7-8dbb-c4d5b6bafe03"],
        "severity": "High",
        "tactics": ["TA0002", "TA0005"],
        "techniques": ["T1204.002", "T1036"],
        "computer": {
            "connector_guid": guid,
            "hostname": f"WS-{host:05d}.corp.example.com",
            "external_ip": f"203.0.113.{host % 250 + 1}",
            "user": f"user{host}@CORP",
            "active": True,
            "network_addresses": [
                {"ip": f"10.20.{host // 250 % 250}.{host % 250 + 1}",
                 "mac": f"02:00:5e:{host >> 16 & 255:02x}:{host >> 8 & 255:02x}:{host & 255:02x}"},
                {"ip": f"192.0.2.{host % 250 + 1}", "mac": "02:00:5e:10:00:01"}],
            "links": {"computer": f"{base}/{guid}", "trajectory": f"{base}/{guid}/trajectory",
                      "group": "https://api.amp.example.com/v1/groups/6c3c2005"}},
        "file": {
            "disposition": "Malicious",
            "file_name": f"invoice-{number}.exe",
            "file_path": f"\\\\?\\C:\\Users\\user{host}\\Downloads\\invoice-{number}.exe",
            "identity": {"sha256": digest[0], "sha1": digest[2][:40], "md5": digest[3][:32]},
            "parent": {"process_id": 4000 + host % 1000, "disposition": "Clean",
                       "file_name": "explorer.exe",
                       "identity": {"sha256": digest[1], "sha1": digest[3][:40],
                                    "md5": digest[2][:32]}}},
        "command_line": {"arguments": ["invoice.exe", "--quiet", "--target", digest[2] * 6]},
        "bp_data": {"details": {"matched_activity": {"signature": digest[3], "sequence": digest[0] * 3}}},
    }


def quarantine_failure(of, number):
    """The event that follows when the file of event `of` could not be removed: same detection_id."""
    event = dict(of, id=of["id"] + number, event_type="Quarantine Failure", event_type_id=2164260880,
                 timestamp_nanoseconds=of["timestamp_nanoseconds"] + 1000,
                 file={"disposition": "Malicious", "identity": {"sha256": of["file"]["identity"]["sha256"]}},
                 error={"error_code": 3221225761, "description": "Cannot delete"})
    del event["detection"]
    return event


def policy_update(number, when=None):
    """Not a detection."""
    event = threat_detected(number, when=when)
    return {key: event[key] for key in ("id", "timestamp", "timestamp_nanoseconds", "date",
                                        "connector_guid", "group_guids", "computer")} | {
        "event_type": "Policy Update", "event_type_id": 553648130}


def raw_fields(number, customer="acme", **event):
    """The same as an entry of the stream `raw`."""
    event = threat_detected(number, **event)
    return {"v": "1", "customer": customer, "source": "secure_endpoint",
            "event_id": str(event["id"]), "observed_ms": str(int(time.time() * 1000)),
            "trace": "", "asked": "", "payload": json.dumps(event, separators=(",", ":"))}


if __name__ == "__main__":
    print(len(raw_fields(1)["payload"]), "bytes")
