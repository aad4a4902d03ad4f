"""What integration tests are made of: a private Redis, the sandbox, our processes, and waiting.

Nothing here sleeps for a result: wait_until() polls a condition against a deadline, and its failure
says what was seen last. Everything started is stopped, by its own process id.
"""
from .callback import Caller, raw_exchange, sign, signed_headers
from .process import Process, build_dir, wait_until
from .redis_server import RedisServer
from .sandbox import Sandbox
from .system import SYS_ID, System

__all__ = ["Caller", "Process", "RedisServer", "SYS_ID", "Sandbox", "System", "build_dir", "raw_exchange", "sign",
           "signed_headers", "wait_until"]
