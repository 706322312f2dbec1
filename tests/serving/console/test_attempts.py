"""How often somebody may try to sign in."""

from serving.console.attempts import Attempts


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_an_address_waits_after_some_failures_and_others_do_not() -> None:
    clock = Clock()
    attempts = Attempts(clock, each=3)
    for _ in range(3):
        assert attempts.wait("192.0.2.1") == 0
        attempts.failed("192.0.2.1")
        clock.now += 10
    assert attempts.wait("192.0.2.1") == 270  # until the first is five minutes ago
    assert attempts.wait("192.0.2.2") == 0
    assert attempts.wait(None) == 0
    clock.now += 270
    assert attempts.wait("192.0.2.1") == 0


def test_a_network_of_ipv6_is_one_address() -> None:
    attempts = Attempts(Clock(), each=2)
    attempts.failed("2001:db8::1")
    attempts.failed("2001:db8::ffff")
    assert attempts.wait("2001:db8::2") == 300
    assert attempts.wait("2001:db8:0:1::2") == 0


def test_all_addresses_together_have_a_limit_too() -> None:
    clock = Clock()
    attempts = Attempts(clock, each=2, all_of_them=3)
    for number in range(3):
        attempts.failed(f"192.0.2.{number}")
        clock.now += 1
    assert attempts.wait("198.51.100.1") == 297
