"""Mails about new incidents: who gets which, what is in them, and that none is lost or doubled."""
import re
import subprocess

import pytest
from harness import System, wait_until

pytest.importorskip("aiosmtpd")
from harness.mail_sink import MailSink  # noqa: E402
from test_incident import add, finding, tickets  # noqa: E402

QUICK = {"wait": "0s", "interval": "0s"}


@pytest.fixture
def sink():
    sink = MailSink()
    yield sink
    sink.stop()


@pytest.fixture
def system(tmp_path, sink):
    system = System(tmp_path, TOCSIN_SMTP_URL=sink.url, TOCSIN_MAIL_FROM="Tocsin <tocsin@mssp.example>",
                    TOCSIN_MAIL_LOOK="100ms", TOCSIN_PUBLIC_URL="https://tocsin.example.com",
                    TOCSIN_LINK_KEY_FILE=str(tmp_path / "link.key"))
    system.servicenow()
    system.threat_response()
    yield system
    system.done()


def begin(system):
    system.tocsin("keygen", "--missing", text=True)
    system.apply()
    system.start("incident")


def parts(mail):
    return {part.get_content_type(): part.get_content() for part in mail.walk()
            if not part.is_multipart()}


def waiting(system):
    """Mails that are due, once."""
    return system.redis.client.zcard(system.key_name("mail:due"))


def untold(system):
    """Incidents that no mail has told of."""
    client, due = system.redis.client, system.key_name("mail:due")
    return sum(client.zcard(key) for key in client.scan_iter(system.key_name("mail:*"), _type="zset") if key != due)


def test_one_mail_tells_of_all_that_is_new_and_names_nobody(system, sink):
    system.customer("acme", mail={"to": ["soc@acme.example", "it@acme.example"], **QUICK, "wait": "2s"})
    begin(system)
    add(system, finding(1, host="WS-SECRET-1"), finding(2, host="WS-SECRET-2", severity_id=5))
    wait_until(lambda: sink.mails, 20)
    (mail,) = sink.mails
    assert mail.recipients == ["soc@acme.example", "it@acme.example"]
    assert mail["From"] == "Tocsin <tocsin@mssp.example>"
    assert mail["Subject"] == "[Tocsin] 2 new incidents at Acme"
    assert re.fullmatch(r"<[0-9a-f]{24}\.test@mssp\.example>", mail["Message-ID"])
    assert mail["Auto-Submitted"] == "auto-generated"
    text, page = parts(mail)["text/plain"], parts(mail)["text/html"]
    for ticket in tickets(system):
        for body in (text, page):
            assert ticket["number"] in body and ticket["sys_id"] in body
    for body, links in ((text, 2), (page, 6)):
        assert "WS-SECRET" not in body and "Threat Detected" not in body
        assert body.count("https://tocsin.example.com/v1/verdict/") == links
    wait_until(lambda: waiting(system) == 0, 5)


def test_a_mail_has_one_customer_unless_its_reader_is_internal(system, sink):
    for customer in ("acme", "globex"):
        system.customer(customer, mail={"to": [f"soc@{customer}.example"], "internal": ["team@mssp.example"],
                                        **QUICK, "wait": "2s"})
    begin(system)
    add(system, finding(1, customer="acme"), finding(2, customer="globex"))
    wait_until(lambda: len(sink.mails) >= 3, 20)
    subjects = {mail.recipients[0]: mail["Subject"] for mail in sink.mails}
    assert subjects["team@mssp.example"] == "[Tocsin] 2 new incidents"
    assert subjects["soc@acme.example"].startswith("[Tocsin] 1 new incident at Acme: INC")
    text = {mail.recipients[0]: parts(mail)["text/plain"] for mail in sink.mails}
    assert "Globex" not in text["soc@acme.example"] and "Acme" not in text["soc@globex.example"]
    assert "Globex" in text["team@mssp.example"] and "Acme" in text["team@mssp.example"]


def test_below_the_severity_nobody_is_told(system, sink):
    system.customer("acme", mail={"to": ["soc@acme.example"], "minimum_severity": "critical", **QUICK})
    begin(system)
    add(system, finding(1, severity_id=4), finding(2, severity_id=5))
    wait_until(lambda: len(tickets(system)) == 2 and sink.mails, 20)
    wait_until(lambda: waiting(system) == 0, 5)
    (mail,) = sink.mails
    assert "1 new incident" in mail["Subject"] and "Critical" in mail["Subject"]


def test_what_waited_for_the_server_becomes_one_mail_with_one_id(system, sink):
    system.customer("acme", mail={"to": ["soc@acme.example"], **QUICK})
    sink.answers = ["451 later"] * 1000
    begin(system)
    add(system, finding(1))
    wait_until(lambda: len(sink.answers) < 1000, 60)
    for number in range(2, 6):
        add(system, finding(number))
    wait_until(lambda: untold(system) == 5, 60)
    sink.answers.clear()
    wait_until(lambda: waiting(system) == 0, 60)
    assert len(sink.mails) == 2
    numbers = [number for mail in sink.mails
               for number in set(re.findall(r"INC\d+", parts(mail)["text/plain"]))]
    assert sorted(numbers) == sorted(ticket["number"] for ticket in tickets(system))


def test_a_lost_answer_repeats_the_same_mail(system, sink):
    system.customer("acme", mail={"to": ["soc@acme.example"], **QUICK})
    sink.answers = ["taken 451 but you will not believe it"]
    begin(system)
    add(system, finding(1))
    wait_until(lambda: len(sink.mails) == 2, 60)
    assert len({mail["Message-ID"] for mail in sink.mails}) == 1
    wait_until(lambda: waiting(system) == 0, 5)


def test_a_recipient_that_is_gone_stops_no_other(system, sink):
    system.customer("acme", mail={"to": ["gone@acme.example", "soc@acme.example"], **QUICK})
    sink.refused.add("gone@acme.example")
    begin(system)
    add(system, finding(1))
    wait_until(lambda: sink.mails, 20)
    assert sink.mails[0].recipients == ["soc@acme.example"]


def emails(system):
    return system.sandbox.get("state/servicenow/main")["emails"]


def test_servicenow_sends_it_and_is_asked_what_became_of_it(system, sink):
    system.customer("acme", mail={"to": ["soc@acme.example"], "via": "servicenow", **QUICK})
    begin(system)
    add(system, finding(1))
    wait_until(lambda: emails(system), 20)
    (mail,) = emails(system)
    assert mail["to"] == ["soc@acme.example"] and mail["subject"].startswith("[Tocsin] 1 new incident at Acme")
    assert "https://tocsin.example.com/v1/verdict/" in mail["html"]
    assert mail["headers"]["Message-ID"].startswith("<")
    wait_until(lambda: waiting(system) == 0, 30, "the record says that it was sent")
    assert len(emails(system)) == 1 and sink.mails == []


def test_an_instance_without_the_role_stops_no_tickets(system):
    system.sandbox.post("accounts", {"vendor": "servicenow", "account": "main", "users": [
        {"user_name": "tocsin", "password": "snow-secret", "name": "Tocsin",
         "roles": ["itil", "snc_basic_auth_api_access"]}]})
    system.customer("acme", mail={"to": ["soc@acme.example"], "via": "servicenow", **QUICK})
    begin(system)
    add(system, finding(1), finding(2))
    wait_until(lambda: len(tickets(system)) == 2, 20)
    process = system.services[0]
    wait_until(lambda: "could not be sent" in process.log_path.read_text(), 20, "the log says why")
    add(system, finding(3))
    wait_until(lambda: len(tickets(system)) == 3, 20, "tickets go on")


@pytest.fixture
def certificate(tmp_path):
    """(certificate, key) of localhost, signed by itself."""
    files = tmp_path / "mail.pem", tmp_path / "mail.key"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost",
                    "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1", "-out", files[0], "-keyout", files[1]],
                   check=True, capture_output=True)
    return files


@pytest.mark.parametrize("password, sent", [("right", True), ("wrong", False)])
def test_starttls_and_authentication(system, certificate, password, sent):
    server = MailSink("tocsin", "right", certificate)
    system.env.update({"TOCSIN_SMTP_URL": server.url, "TOCSIN_SMTP_CA_FILE": str(certificate[0]),
                       "TOCSIN_SMTP_USER": "tocsin", "TOCSIN_SMTP_PASSWORD": password})
    system.customer("acme", mail={"to": ["soc@acme.example"], **QUICK})
    begin(system)
    add(system, finding(1))
    log = system.services[0].log_path
    if sent:
        wait_until(lambda: server.mails, 20)
    else:
        wait_until(lambda: "could not be sent" in log.read_text(), 20)
        assert server.mails == []
        wait_until(lambda: system.services[0].metric("tocsin_mails_total", via="smtp", outcome="refused") > 0, 10)
    assert password not in log.read_text()
    server.stop()


def test_a_certificate_that_nobody_signed_is_refused(system, certificate):
    server = MailSink("tocsin", "right", certificate)
    system.env.update({"TOCSIN_SMTP_URL": server.url, "TOCSIN_SMTP_USER": "tocsin", "TOCSIN_SMTP_PASSWORD": "right"})
    system.customer("acme", mail={"to": ["soc@acme.example"], **QUICK})
    begin(system)
    add(system, finding(1))
    log = system.services[0].log_path
    wait_until(lambda: "could not be sent" in log.read_text(), 20)
    assert "certificate" in log.read_text() and server.mails == []
    server.stop()


@pytest.mark.parametrize("mail, words", [
    ({"to": ["no address"]}, 'mail.to: "no address" is not a mail address'),
    ({"to": ["a@b\r\nBcc: c@d"]}, "is not a mail address"),
    ({"interval": "5m"}, "mail.to: nobody is told"),
    ({"to": ["a@b.example"], "via": "pigeon"}, "mail.via"),
    ({"to": ["a@b.example"], "interval": 5}, "mail.interval"),
])
def test_a_wrong_section_is_refused_with_its_place(system, mail, words):
    system.customer("acme", mail=mail)
    process_words = system.tocsin("customer", "show", "acme", expect=1, text=True)
    assert process_words == "" or words in process_words


def test_settings_that_cannot_work_are_refused(system):
    from harness import Process
    process = Process("tocsin-incident", (), {**system.env, "TOCSIN_MAIL_FROM": "nobody"},
                      system.folder / "refused.log", health=False)
    _, err, status = process.run()
    assert status != 0 and "TOCSIN_MAIL_FROM=nobody is not a mail address" in err
