"""The function library on a private Redis."""
import pytest
import redis

from functions import Library, key


@pytest.fixture
def library(redis_server):
    lib = Library(redis_server.client).install()
    yield lib


@pytest.fixture
def as_user(redis_server, library):
    """as_user(*rules) is the library called by a user with these rights only."""
    clients = []

    def make(*rules):
        name = f"user{len(clients)}"
        library.redis.execute_command("ACL", "SETUSER", name, "on", ">pw", "resetchannels", "-@all",
                                      *rules)
        client = redis.Redis(unix_socket_path=str(redis_server.socket), username=name,
                             password="pw", decode_responses=True)
        clients.append(client)
        return Library(client)

    yield make
    for client in clients:
        client.close()


__all__ = ["key"]
