"""The callback when things go wrong: Redis gone, the process killed, senders that are slow or malicious."""
import contextlib
import json
import os
import pathlib
import random
import select
import signal
import socket
import threading
import time

import pytest

from harness import Caller, raw_exchange, signed_headers, wait_until

PATH = "acme/generic"


@pytest.fixture
def push(system):
    system.secret = system.pusher("acme")
    system.tocsin("push", "add", "acme", "--events-per-minute", "10000000")
    system.apply()
    system.process = system.callback()
    system.call = system.caller()
    yield system
    system.call.close()


def numbers(system):
    """The n of every event in raw, in order, each as often as it is there."""
    return [json.loads(fields["payload"])["n"]
            for _, fields in system.redis.client.xrange(system.key_name("raw"))]


class Senders:
    """Threads that push numbered events until they are told to stop, each with an id of its own; what is not
    answered with 2xx is sent again, as it was. They know what was acknowledged."""

    def __init__(self, system, count):
        self.system, self.acknowledged, self.answers = system, set(), {}
        self.lock, self.ending = threading.Lock(), threading.Event()
        self.threads = [threading.Thread(target=self.run, args=(i * 10 ** 6,)) for i in range(count)]
        for thread in self.threads:
            thread.start()

    def run(self, n):
        call = self.system.caller()
        while not self.ending.is_set():
            n += 1
            body = json.dumps({"n": n}).encode()
            while not self.send(call, n, body):
                if self.ending.wait(0.05):
                    break
        call.close()

    def send(self, call, n, body):
        try:
            answer = call.push(PATH, body, self.system.secret, webhook_id=f"msg_{n}")
        except OSError:
            call.close()
            return False
        except Exception as error:  # half an answer: as good as none
            assert "Incomplete" in repr(error) or "BadStatus" in repr(error), error
            call.close()
            return False
        with self.lock:
            self.answers[answer.status] = self.answers.get(answer.status, 0) + 1
            if answer.status == 202:
                self.acknowledged.add(n)
        assert answer.status in (202, 503), answer
        return answer.status == 202

    def wait(self, count):
        before = len(self.acknowledged)
        wait_until(lambda: len(self.acknowledged) >= before + count, 30, f"{count} more acknowledged")

    def end(self):
        self.ending.set()
        for thread in self.threads:
            thread.join()


def check_all_there_once(system, senders):
    found = numbers(system)
    assert len(found) == len(set(found)), "an event is there twice"
    missing = senders.acknowledged - set(found)
    assert not missing, f"acknowledged and lost: {sorted(missing)[:5]}"


def test_nothing_acknowledged_is_lost_when_redis_is_killed(push):
    """kill -9 of Redis under load, again and again: 2xx was only said of what is in its file."""
    senders = Senders(push, 12)
    for _ in range(4):
        senders.wait(150)
        push.redis.kill()
        push.redis.start()
    senders.wait(100)
    senders.end()
    check_all_there_once(push, senders)
    print(f"{len(senders.acknowledged)} acknowledged; answers {senders.answers}")


def test_a_short_restart_of_redis_costs_nobody_an_answer(push):
    """Requests sleep through it: their senders see 202, late."""
    push.redis.kill()
    answers = []
    threads = [threading.Thread(target=lambda n=n: answers.append(
        push.caller().push(PATH, {"n": n}, push.secret))) for n in range(20)]
    for thread in threads:
        thread.start()
    push.pause(0.5)
    push.redis.start()
    for thread in threads:
        thread.join()
    assert [answer.status for answer in answers] == [202] * 20
    assert sorted(numbers(push)) == list(range(20))


def test_without_redis_the_answer_is_503_and_comes_in_time(push):
    push.redis.kill()

    def waits():
        start = time.monotonic()
        answer = push.call.push(PATH, {"n": 1}, push.secret, webhook_id="msg_1")
        assert (answer.status, answer.json["type"]) == (503, "urn:tocsin:problem:unavailable")
        assert int(answer.headers["retry-after"]) >= 1
        return time.monotonic() - start
    assert waits() > 4
    wait_until(lambda: waits() < 1, 30, "once that is known nobody waits for it")
    assert push.process.get("/readyz")[0] == 503
    push.redis.start()
    push.process.ready()
    assert push.call.push(PATH, {"n": 1}, push.secret, webhook_id="msg_1").json["accepted"] == 1


def test_an_answer_lost_on_its_way_is_given_again(push):
    """Redis has it, and we never heard so: the repeated request is the same one."""
    push.redis.process.send_signal(signal.SIGSTOP)
    answers = []
    thread = threading.Thread(target=lambda: answers.append(
        push.call.push(PATH, {"n": 1}, push.secret, webhook_id="msg_1")))
    thread.start()
    thread.join(30)
    push.redis.process.send_signal(signal.SIGCONT)
    assert answers[0].status == 503
    # It is written when Redis goes on, though its answer was not waited for.
    wait_until(lambda: numbers(push) == [1], 10, "what was on its way")
    answer = push.call.push(PATH, {"n": 1}, push.secret, webhook_id="msg_1")
    assert (answer.status, answer.json) == (202, {"accepted": 0, "duplicate": 1})
    assert numbers(push) == [1]


def test_nothing_acknowledged_is_lost_when_we_are_killed(push):
    senders = Senders(push, 12)
    for _ in range(4):
        senders.wait(150)
        push.process.kill()
        push.services.remove(push.process)
        push.process = push.callback()
    senders.wait(100)
    senders.end()
    check_all_there_once(push, senders)


def test_sigterm_answers_what_it_has_and_ends(push):
    """Under load: every request that was read gets its answer, and the process ends with 0 within 10 s."""
    senders = Senders(push, 12)
    senders.wait(200)
    push.process.stop(10)
    senders.end()
    check_all_there_once(push, senders)
    assert set(senders.answers) <= {202, 503}
    assert "stopped" in push.process.log_lines()[-1]["msg"]


def test_sigterm_while_redis_is_away(push):
    push.redis.kill()
    answers = []
    threads = [threading.Thread(target=lambda n=n: answers.append(
        push.caller().push(PATH, {"n": n}, push.secret).status)) for n in range(5)]
    for thread in threads:
        thread.start()
    push.pause(0.3)
    push.process.stop()
    for thread in threads:
        thread.join()
    assert answers == [503] * 5


def test_a_new_data_set_is_waited_for(push):
    """Redis comes back empty: not ready until setup has made everything again; then the same secrets work."""
    push.redis.client.flushall()
    assert push.call.push(PATH, {"n": 1}, push.secret).status == 503
    push.apply()
    wait_until(lambda: push.call.push(PATH, {"n": 2}, push.secret).status == 202, 10, "after setup")


# ---- requests that mean two things

GOOD = b"POST /v1/events/acme/generic HTTP/1.1\r\nHost: x\r\n"
NEXT = b"GET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n"
SMUGGLED = {
    "cl-te": GOOD + b"Content-Length: %d\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" % (5 + len(NEXT)) + NEXT,
    "te-cl": GOOD + b"Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n1\r\nZ\r\n0\r\n\r\n" + NEXT,
    "te": GOOD + b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + NEXT,
    "te-te": GOOD + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n" + NEXT,
    "te-odd": GOOD + b"Transfer-Encoding: xchunked\r\nContent-Length: 2\r\n\r\n{}" + NEXT,
    "te-case": GOOD + b"tRANSFER-eNCODING: cHUNKED\r\n\r\n0\r\n\r\n" + NEXT,
    "te-tab": GOOD + b"Transfer-Encoding:\tchunked\r\n\r\n0\r\n\r\n" + NEXT,
    "te-space-before-colon": GOOD + b"Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n" + NEXT,
    "te-vt": GOOD + b"Transfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n" + NEXT,
    "te-folded": GOOD + b"Transfer-Encoding:\r\n chunked\r\nContent-Length: 2\r\n\r\n{}" + NEXT,
    "te-underscore": GOOD + b"Transfer_Encoding: chunked\r\nContent-Length: 2\r\n\r\n{}" + NEXT,
    "te-after-nul": GOOD + b"X: a\x00\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + NEXT,
    "te-in-value-lf": GOOD + b"X: a\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + NEXT,
    "te-in-value-cr": GOOD + b"X: a\rTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + NEXT,
    "cl-cl-same": GOOD + b"Content-Length: 2\r\nContent-Length: 2\r\n\r\n{}" + NEXT,
    "cl-cl": GOOD + b"Content-Length: 2\r\nContent-Length: %d\r\n\r\n{}" % (2 + len(NEXT)) + NEXT,
    "cl-cl-reversed": GOOD + b"Content-Length: %d\r\nContent-Length: 2\r\n\r\n{}" % (2 + len(NEXT)) + NEXT,
    "cl-list": GOOD + b"Content-Length: 2, 2\r\n\r\n{}" + NEXT,
    "cl-plus": GOOD + b"Content-Length: +2\r\n\r\n{}" + NEXT,
    "cl-minus": GOOD + b"Content-Length: -2\r\n\r\n{}" + NEXT,
    "cl-hex": GOOD + b"Content-Length: 0x2\r\n\r\n{}" + NEXT,
    "cl-point": GOOD + b"Content-Length: 2.0\r\n\r\n{}" + NEXT,
    "cl-exp": GOOD + b"Content-Length: 2e0\r\n\r\n{}" + NEXT,
    "cl-underscores": GOOD + b"Content-Length: 1_0\r\n\r\n{}" + NEXT,
    "cl-empty": GOOD + b"Content-Length:\r\n\r\n{}" + NEXT,
    "cl-words": GOOD + b"Content-Length: two\r\n\r\n{}" + NEXT,
    "cl-trailing": GOOD + b"Content-Length: 2 3\r\n\r\n{}" + NEXT,
    "cl-semicolon": GOOD + b"Content-Length: 2;x\r\n\r\n{}" + NEXT,
    "cl-quotes": GOOD + b'Content-Length: "2"\r\n\r\n{}' + NEXT,
    "cl-space-before-colon": GOOD + b"Content-Length : 2\r\n\r\n{}" + NEXT,
    "cl-underscore": GOOD + b"Content_Length: 2\r\n\r\n{}" + NEXT,
    "cl-bare-lf": GOOD + b"Content-Length: 2\n\r\n{}" + NEXT,
    "cl-bare-lf-twice": GOOD + b"Content-Length: 2\n\n{}" + NEXT,
    "cl-bare-cr": GOOD + b"Content-Length: 2\r\r\n{}" + NEXT,
    "cl-folded": GOOD + b"Content-Length:\r\n 2\r\n\r\n{}" + NEXT,
    "cl-wraps": GOOD + b"Content-Length: 18446744073709551618\r\n\r\n{}" + NEXT,
    "head-ends-lf": GOOD[:-2] + b"\nContent-Length: 2\r\n\r\n{}" + NEXT,
    "line-ends-lf": b"POST /v1/events/acme/generic HTTP/1.1\nHost: x\r\nContent-Length: 2\r\n\r\n{}" + NEXT,
    "line-ends-cr": b"POST /v1/events/acme/generic HTTP/1.1\rHost: x\r\nContent-Length: 2\r\n\r\n{}" + NEXT,
    "no-host": b"POST /v1/events/acme/generic HTTP/1.1\r\nContent-Length: 2\r\n\r\n{}" + NEXT,
    "two-hosts": GOOD + b"Host: y\r\nContent-Length: 2\r\n\r\n{}" + NEXT,
    "same-host-twice": GOOD + b"Host: x\r\nContent-Length: 2\r\n\r\n{}" + NEXT,
    "absolute-uri": b"POST http://other/v1/events/acme/generic HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}"
                    + NEXT,
    "authority": b"CONNECT other:80 HTTP/1.1\r\nHost: x\r\n\r\n" + NEXT,
    "asterisk": b"OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n" + NEXT,
    "http-0.9": b"GET /v1/events/acme/generic\r\n" + NEXT,
    "http-2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + NEXT,
    "http-1.2": b"POST /v1/events/acme/generic HTTP/1.2\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}" + NEXT,
    "http-11": b"POST /v1/events/acme/generic HTTP/11\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}" + NEXT,
    "http-case": b"POST /v1/events/acme/generic http/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}" + NEXT,
    "method-odd": b"PO;ST /v1/events/acme/generic HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}" + NEXT,
    "get-with-body": b"GET /v1/events/acme/generic HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(NEXT)
                     + NEXT,
    "upgrade": GOOD + b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: A\r\n\r\n" + NEXT,
    "expect": GOOD + b"Expect: 200-ok\r\nContent-Length: 2\r\n\r\n{}" + NEXT,
    "name-empty": GOOD + b": x\r\nContent-Length: 2\r\n\r\n{}" + NEXT,
    "name-blank": GOOD + b"X y: x\r\nContent-Length: 2\r\n\r\n{}" + NEXT,
    "name-bytes": GOOD + b"X\xffy: x\r\nContent-Length: 2\r\n\r\n{}" + NEXT,
    "no-colon": GOOD + b"Transfer-Encoding chunked\r\nContent-Length: 2\r\n\r\n{}" + NEXT,
    "first-line-blank": b" " + GOOD + b"Content-Length: 2\r\n\r\n{}" + NEXT,
}


@pytest.fixture(scope="module")
def public_port(tmp_path_factory):
    """One process for all of these: nothing may be left of one for the next."""
    from harness import System
    system = System(tmp_path_factory.mktemp("callback"))
    system.pusher("acme")
    system.apply()
    system.callback()
    yield system.callback_port
    assert not system.redis.client.xlen(system.key_name("raw"))
    system.done()


@pytest.mark.parametrize("name", SMUGGLED)
def test_a_request_that_means_two_things_ends_its_connection(public_port, name):
    answer = raw_exchange(public_port, SMUGGLED[name])
    # A refusal, and nothing of the second request. (For some of its own libmicrohttpd 0.9.75 writes
    # the head twice, and closes.)
    statuses = [part[:3] for part in answer.split(b"HTTP/1.1 ")[1:]]
    assert len(statuses) <= (2 if b"</html>" in answer else 1) and len(set(statuses)) <= 1, answer
    assert set(statuses) <= {b"400", b"401", b"404", b"405", b"411", b"413", b"501", b"505"}, answer
    assert b"/smuggled" not in answer


def test_there_are_enough_of_them():
    assert len(SMUGGLED) >= 50


# ---- slow and many


def drip(port, count, stop, closed):
    """Connections that never get to the end of their heads: a byte of a header now and then."""
    sockets = []
    for _ in range(count):
        s = socket.create_connection(("127.0.0.1", port))
        s.sendall(b"POST /v1/events/acme/generic HTTP/1.1\r\nHost: x\r\nX-Slow: ")
        s.setblocking(False)
        sockets.append(s)
    while sockets and not stop.is_set():
        left = []
        for s in sockets:
            try:
                s.send(b"a")
                left.append(s)
            except BlockingIOError:
                left.append(s)
            except OSError:
                closed.append(s)
                s.close()
        sockets = left
        stop.wait(0.25)
    for s in sockets:
        s.close()


def connections(port):
    """Established ones, as the kernel has them for everybody to read."""
    rows = [line.split() for line in pathlib.Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return sum(row[1].endswith(f":{port:04X}") and row[3] == "01" for row in rows)


def test_a_thousand_slow_senders_slow_down_nobody_else(system):
    secret = system.pusher("acme")
    system.tocsin("push", "add", "acme", "--events-per-minute", "10000000")
    system.apply()
    process = system.callback(TOCSIN_CALLBACK_PER_ADDRESS="0")
    stop, closed, took, failed = threading.Event(), [], [], []
    slow = [threading.Thread(target=drip, args=(system.callback_port, 250, stop, closed)) for _ in range(4)]

    def send(first):
        call = system.caller()
        for n in range(first, first + 300):
            start = time.monotonic()
            if call.push(PATH, {"n": n}, secret).status != 202:
                failed.append(n)
            took.append(time.monotonic() - start)
        call.close()

    for thread in slow:
        thread.start()
    wait_until(lambda: connections(system.callback_port) >= 1000, 20, "a thousand connections")
    good = [threading.Thread(target=send, args=(i * 1000,)) for i in range(4)]
    for thread in good:
        thread.start()
    for thread in good:
        thread.join()
    took.sort()
    p99 = took[int(len(took) * 0.99)] * 1000
    rss = process.rss_mib()
    print(f"1,000 slow connections: p99 of {len(took)} good ones {p99:.1f} ms, peak RSS {rss:.1f} MiB")
    assert not failed and len(took) == 1200, "each would wait in vain for a thread that one of them holds"
    if not os.environ.get("TOCSIN_BUILD", "").endswith(("asan", "tsan")):
        assert rss < 64
    # All of them are cut, however busily they drip.
    wait_until(lambda: len(closed) == 1000, 20, "the end of the slow ones")
    stop.set()
    for thread in slow:
        thread.join()


def test_bodies_share_a_bounded_memory(system):
    """Forty senders of nearly a mebibyte that stop before the end: large bodies are refused then, small ones
    are taken, and memory stays where it is."""
    secret = system.pusher("acme")
    system.apply()
    process = system.callback(TOCSIN_CALLBACK_PER_ADDRESS="0")
    head = b"POST /v1/events/acme/generic HTTP/1.1\r\nHost: x\r\nContent-Length: 1048000\r\n\r\n"
    large = b'{"a":"' + b"x" * 500_000 + b'"}'
    call = system.caller()

    def refused(): # with senders of its own, for they are idle and end
        with contextlib.ExitStack() as stack:
            for _ in range(40):
                s = stack.enter_context(socket.create_connection(("127.0.0.1", system.callback_port)))
                s.sendall(head + b"x" * 1_000_000)
            answer = call.push(PATH, large, secret)
            assert call.push(PATH, {"n": 1}, secret).status == 202
            return answer.status == 503
    wait_until(refused, 20, "no memory for large ones")
    call.close()
    print(f"40 MB held back: peak RSS {process.rss_mib():.1f} MiB")
    if not os.environ.get("TOCSIN_BUILD", "").endswith(("asan", "tsan")):
        assert process.rss_mib() < 64


def test_an_address_has_so_many_connections(system):
    system.pusher("acme")
    system.apply()
    system.callback(TOCSIN_CALLBACK_PER_ADDRESS="5")
    with contextlib.ExitStack() as stack:
        held = [stack.enter_context(socket.create_connection(("127.0.0.1", system.callback_port)))
                for _ in range(8)]

        def refused(): # which ones is not said: several threads accept
            return select.select(held, [], [], 0)[0]
        wait_until(lambda: len(refused()) == 3, 4, "three too many")
        next(one for one in held if one not in refused()).close()
        wait_until(lambda: Caller(system.callback_port).request("GET", "/").status == 404, 5, "a place again")


def test_rubbish_never_is_accepted(push):
    """A correct request with bytes changed, added or cut, many times over: nothing gets in, nobody dies."""
    seed = random.randrange(10 ** 6)
    print(f"seed {seed}")
    dice = random.Random(seed)
    body = b'{"n":1}'
    headers = signed_headers(push.secret, body)
    request = b"POST /v1/events/acme/generic HTTP/1.1\r\nHost: x\r\nConnection: close\r\n" + b"".join(
        f"{name}: {value}\r\n".encode() for name, value in headers.items())
    signed = b"".join(f"{name}: {value}\r\n".encode() for name, value in headers.items())
    whole = request + b"Content-Length: %d\r\n\r\n" % len(body) + body
    accepted = 0
    for _ in range(400):
        data = bytearray(whole)
        for _ in range(dice.randrange(1, 4)):
            at = dice.randrange(len(data))
            kind = dice.randrange(3)
            if kind == 0:
                data[at] = dice.randrange(256)
            elif kind == 1:
                del data[at:at + dice.randrange(1, 5)]
            else:
                data[at:at] = bytes(dice.randrange(256) for _ in range(dice.randrange(1, 4)))
        answer = raw_exchange(push.callback_port, bytes(data), timeout=0.3)
        if answer.startswith(b"HTTP/1.1 202"):
            accepted += 1
            # What is signed came through as it was: only something else was changed.
            assert body in bytes(data) and signed.split(b"\r\n")[2].split(b" ")[1] in bytes(data), bytes(data)
    assert push.process.running()
    assert set(numbers(push)) <= {1}
    print(f"{accepted} of 400 changed requests were still right")


# ---- in front of it


def test_behind_a_proxy_the_client_is_who_it_names(system):
    system.pusher("acme")
    system.apply()
    system.callback(TOCSIN_CALLBACK_PER_ADDRESS="3", TOCSIN_CALLBACK_TRUSTED_PROXIES="127.0.0.1, 10.0.0.0/8")
    head = b"POST /v1/events/acme/generic HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nX-Forwarded-For: %s\r\n\r\n"

    def ask(client):
        return raw_exchange(system.callback_port, head % client + b"{}", timeout=1).split(b" ", 2)[1]

    with contextlib.ExitStack() as stack:
        # Three requests of one client are under way, and the proxy has as many connections as it likes.
        for _ in range(3):
            s = stack.enter_context(socket.create_connection(("127.0.0.1", system.callback_port)))
            s.sendall(head % b"1.1.1.1, 198.51.100.1")
        wait_until(lambda: ask(b"198.51.100.1") == b"429", 5, "no more of this client")
        assert ask(b"198.51.100.2") == b"401"
        assert ask(b"198.51.100.1, 198.51.100.2, 10.1.1.1") == b"401"
    wait_until(lambda: ask(b"198.51.100.1") == b"401", 5, "room again")
