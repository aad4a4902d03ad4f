"""A mail server that keeps what it gets, and can be told to misbehave."""
import email
import email.policy
import ssl

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, LoginPassword

from .process import free_port


class MailSink:
    """answers: what DATA is answered with, in turn; then "250 OK". refused: recipients it does not know."""

    def __init__(self, user=None, password=None, certificate=None):
        self.mails, self.answers, self.refused = [], [], set()
        context = None
        if certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*certificate)
        options = {"authenticator": self._login(user, password), "auth_require_tls": True,
                   "auth_required": True} if user else {}
        self.port = free_port()  # the controller knows only ports that are given
        self.controller = Controller(self, hostname="127.0.0.1", port=self.port, tls_context=context,
                                     require_starttls=bool(context), **options)
        self.controller.start()
        self.url = f"smtp://127.0.0.1:{self.port}"

    @staticmethod
    def _login(user, password):
        def check(_server, _session, _envelope, _mechanism, data):
            good = isinstance(data, LoginPassword) and (data.login, data.password) == (
                user.encode(), password.encode())
            return AuthResult(success=good, handled=good)
        return check

    async def handle_RCPT(self, _server, _session, envelope, address, _options):
        if address in self.refused:
            return "550 no such user"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, _server, _session, envelope):
        mail = email.message_from_bytes(envelope.content, policy=email.policy.default)
        mail.recipients = list(envelope.rcpt_tos)
        answer = self.answers.pop(0) if self.answers else "250 OK"
        if answer.startswith("2") or answer.startswith("taken "):
            self.mails.append(mail)
        return answer.removeprefix("taken ")

    def stop(self):
        self.controller.stop()
