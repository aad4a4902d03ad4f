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


def umbrella_record(number, when=None):
    """A blocked request of a roaming computer, as large as real ones."""
    at = int((when if when is not None else time.time()) * 1000)
    digest = hashlib.sha256(str(number).encode()).hexdigest()
    c2 = {"id": 65, "label": "Command and Control", "type": "security", "integration": False}
    return {
        "type": "dns", "timestamp": at, "date": time.strftime("%Y-%m-%d", time.gmtime(at / 1000)),
        "time": time.strftime("%H:%M:%S", time.gmtime(at / 1000)), "domain": f"{digest[:20]}.c2.example.com",
        "querytype": "A", "returncode": 0, "externalip": f"203.0.113.{number % 250 + 1}",
        "internalip": f"10.20.{number // 250 % 250}.{number % 250 + 1}", "verdict": "blocked",
        "categories": [c2, {"id": 108, "label": "Newly Seen Domains", "type": "security",
                            "integration": False}],
        "policycategories": [c2], "allapplications": [], "allowedapplications": [],
        "blockedapplications": [], "device": {"id": f"010172dc{digest[:8]}"},
        "threats": [{"label": f"Loader {number % 40}", "type": "Command and Control"}],
        "identities": [
            {"id": 480000 + number % 5000, "label": f"NB-{number % 5000:05d}", "deleted": False,
             "type": {"id": 9, "type": "roaming", "label": "Roaming Computers"}},
            {"id": 90210, "label": "Head office", "deleted": False,
             "type": {"id": 1, "type": "network", "label": "Networks"}},
            {"id": 500000 + number % 5000, "label": f"user{number % 5000} (user{number % 5000}@example.com)",
             "deleted": False, "type": {"id": 7, "type": "directory_user", "label": "AD Users"}}]}


def defender_alert(number, when=None):
    """An alert with the evidence of a process, its file, a user and an address."""
    at = time.gmtime(when if when is not None else time.time())
    moment = time.strftime("%Y-%m-%dT%H:%M:%S", at)
    digest = [hashlib.sha256(f"{number}-{i}".encode()).hexdigest() for i in range(3)]
    none = dict.fromkeys((
        "sha1", "sha256", "fileName", "filePath", "processId", "processCommandLine",
        "processCreationTime", "parentProcessId", "parentProcessCreationTime", "parentProcessFileName",
        "parentProcessFilePath", "ipAddress", "url", "registryKey", "registryHive", "registryValueType",
        "registryValue", "accountName", "domainName", "userSid", "aadUserId", "userPrincipalName",
        "detectionStatus"))
    file = {"sha1": digest[0][:40], "sha256": digest[0], "fileName": f"loader-{number}.exe",
            "filePath": "C:\\Users\\Public\\Downloads", "detectionStatus": "Detected"}
    return {
        "id": f"da{637600000000000000 + number}_-{number % 2000000000}", "incidentId": 40000 + number,
        "investigationId": None, "assignedTo": None, "severity": "High", "status": "New",
        "classification": None, "determination": None, "investigationState": "UnsupportedAlertType",
        "detectionSource": "WindowsDefenderAtp", "detectorId": "0b7d2d1e-5a0f-4c55-9a54-2f6f0f5c1a01",
        "category": "Execution", "threatFamilyName": None, "threatName": None,
        "title": "Suspicious PowerShell command line",
        "description": "A suspicious PowerShell activity was observed on the machine. This behavior may "
                       "indicate that PowerShell was used during installation, exploration, or in some "
                       "cases in lateral movement activities.\n\nInvestigate the process tree.",
        "alertCreationTime": f"{moment}.1234567Z", "firstEventTime": f"{moment}.0034567Z",
        "lastEventTime": f"{moment}.0934567Z", "lastUpdateTime": f"{moment}.73Z", "resolvedTime": None,
        "machineId": digest[1][:40], "computerDnsName": f"ws-{number % 5000:05d}.corp.example.com",
        "rbacGroupName": "Workstations", "aadTenantId": "6f1d2c3b-4a59-4e6f-8a7b-1c2d3e4f5a6b",
        "mitreTechniques": ["T1059.001", "T1105"], "relatedUser": {"userName": f"user{number % 5000}",
                                                                   "domainName": "CORP"},
        "loggedOnUsers": [{"accountName": f"user{number % 5000}", "domainName": "CORP"}], "comments": [],
        "evidence": [
            {**none, **file, "entityType": "Process", "evidenceCreationTime": f"{moment}.2Z",
             "processId": 4000 + number % 9000, "processCommandLine": f"loader.exe -enc {digest[2] * 4}",
             "processCreationTime": f"{moment}.0034567Z", "parentProcessId": 1200,
             "parentProcessCreationTime": f"{moment}.001Z", "parentProcessFileName": "explorer.exe",
             "parentProcessFilePath": "C:\\Windows"},
            {**none, **file, "entityType": "File", "evidenceCreationTime": f"{moment}.2Z"},
            {**none, "entityType": "User", "evidenceCreationTime": f"{moment}.2Z",
             "accountName": f"user{number % 5000}", "domainName": "CORP",
             "userSid": f"S-1-5-21-1111111111-222222222-3333333333-{number % 9000}"},
            {**none, "entityType": "Ip", "evidenceCreationTime": f"{moment}.2Z",
             "ipAddress": f"198.51.100.{number % 250 + 1}"}]}


def raw_entry(source, event_id, record, customer="acme"):
    return {"v": "1", "customer": customer, "source": source, "event_id": event_id,
            "observed_ms": str(int(time.time() * 1000)), "trace": "", "asked": "",
            "payload": json.dumps(record, separators=(",", ":"))}


def raw_umbrella(number):
    return raw_entry("umbrella", hashlib.sha256(f"u{number}".encode()).hexdigest()[:32],
                     umbrella_record(number))


def raw_defender(number):
    alert = defender_alert(number)
    return raw_entry("defender", f"{alert['id']}:1795286999123", alert)


def raw_wazuh(number):
    """An alert of Sysmon's, as Wazuh sends it: the source is a jq program."""
    digest = hashlib.sha256(f"w{number}".encode()).hexdigest()
    alert_id = f"1795283883.{number}"
    return raw_entry("wazuh", alert_id, {
        "timestamp": "2026-11-21T17:58:03.417+0000", "id": alert_id, "location": "EventChannel",
        "rule": {"level": 12, "description": "Windows command prompt started by an abnormal process",
                 "id": "92052", "firedtimes": 1 + number % 9, "mail": True,
                 "groups": ["windows", "sysmon", "sysmon_eid1_detections"],
                 "mitre": {"id": ["T1059.003"], "tactic": ["Execution"],
                           "technique": ["Windows Command Shell"]}},
        "agent": {"id": f"{number % 900:03}", "name": f"NB-{number % 900:04}", "ip": "10.20.3.9"},
        "manager": {"name": "wazuh-manager"}, "decoder": {"name": "windows_eventchannel"},
        "data": {"win": {
            "system": {"providerName": "Microsoft-Windows-Sysmon", "eventID": "1", "version": "5",
                       "level": "4", "task": "1", "opcode": "0", "keywords": "0x8000000000000000",
                       "eventRecordID": str(9000000 + number), "processID": "2440", "threadID": "3104",
                       "channel": "Microsoft-Windows-Sysmon/Operational",
                       "computer": f"NB-{number % 900:04}.corp.example", "severityValue": "INFORMATION",
                       "systemTime": "2026-11-21T17:58:02.9981230Z", "message": "Process Create"},
            "eventdata": {"utcTime": "2026-11-21 17:58:02.996", "processGuid": f"{{{digest[:32]}}}",
                          "processId": str(4000 + number % 5000),
                          "image": "C:\\Windows\\System32\\cmd.exe", "originalFileName": "Cmd.Exe",
                          "commandLine": f"cmd.exe /c whoami > C:\\Windows\\Temp\\{digest[:8]}.txt",
                          "currentDirectory": "C:\\Windows\\system32\\", "user": "CORP\\jane",
                          "integrityLevel": "High",
                          "hashes": f"SHA1={digest[:40]},MD5={digest[:32]},SHA256={digest}",
                          "parentProcessId": "2216",
                          "parentImage": "C:\\Program Files\\Office\\winword.exe",
                          "parentCommandLine": "winword.exe /n invoice.docm"}}}})


if __name__ == "__main__":
    for make in (raw_fields, raw_umbrella, raw_defender, raw_wazuh):
        print(make.__name__, len(make(1)["payload"]), "bytes")
