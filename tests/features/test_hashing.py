import mmh3
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.hashing import bucket_of, hash_buckets

# Published test vectors of MurmurHash3 x86_32: (text, seed, hash), as found in the test suites of PeterScott/murmur3,
# of mur3 and of smhasher's ports.
VECTORS = [
    ("", 0, 0x00000000),
    ("", 1, 0x514E28B7),
    ("", 0xFFFFFFFF, 0x81F16F39),
    ("hello", 0, 0x248BFA47),
    ("hello", 1, 0xBB4ABCAD),
    ("hello, world", 0, 0x149BBB7F),
    ("19 Jan 2038 at 3:14:07 AM", 0, 0xE31E8A70),
    ("The quick brown fox jumps over the lazy dog.", 0, 0xD5C48BFC),
    ("The quick brown fox jumps over the lazy dog", 0x9747B28C, 0x2FA826CD),
    ("Hello, world!", 1234, 0xFAF6CDB3),
    ("Hello, world!", 4321, 0xBF505788),
]


@pytest.mark.parametrize(("text", "seed", "expected"), VECTORS)
def test_bucket_is_unsigned_murmur3_mod_size(text: str, seed: int, expected: int) -> None:
    assert bucket_of(text, 2**32, seed) == expected
    assert bucket_of(text, 1000, seed) == expected % 1000


def _murmur3(data: bytes, seed: int) -> int:
    """Austin Appleby's MurmurHash3_x86_32, written out."""

    def mixed(block: int) -> int:
        block = block * 0xCC9E2D51 & 0xFFFFFFFF
        block = (block << 15 | block >> 17) & 0xFFFFFFFF
        return block * 0x1B873593 & 0xFFFFFFFF

    found = seed
    whole = len(data) // 4 * 4
    for i in range(0, whole, 4):
        found ^= mixed(int.from_bytes(data[i : i + 4], "little"))
        found = (found << 13 | found >> 19) & 0xFFFFFFFF
        found = found * 5 + 0xE6546B64 & 0xFFFFFFFF
    found ^= mixed(int.from_bytes(data[whole:], "little"))
    found ^= len(data)
    found = (found ^ found >> 16) * 0x85EBCA6B & 0xFFFFFFFF
    found = (found ^ found >> 13) * 0xC2B2AE35 & 0xFFFFFFFF
    return found ^ found >> 16


@given(st.text(), st.integers(0, 2**32 - 1))
def test_bucket_equals_murmur3_written_out(text: str, seed: int) -> None:
    assert bucket_of(text, 2**32, seed) == _murmur3(text.encode(), seed)


def test_set_bits_are_sorted_and_distinct() -> None:
    # 0x248BFA47 = 613153351 and 0x149BBB7F = 345750399: mod 8 both are 7; mod 100 they are 51 and 99
    assert hash_buckets(["hello, world", "hello", "hello"], 8).tolist() == [7]
    assert hash_buckets(["hello, world", "hello", "hello"], 100).tolist() == [51, 99]
    assert hash_buckets([], 8).tolist() == []
    assert hash_buckets(["a"], 8).dtype == np.int64


@given(st.lists(st.text(max_size=8)), st.integers(1, 500), st.integers(0, 2**32 - 1))
def test_hash_buckets_is_the_papers_algorithm(strings: list[str], size: int, seed: int) -> None:
    bits = [0] * size
    for text in strings:
        bits[mmh3.hash(text, seed, signed=False) % size] = 1
    assert hash_buckets(strings, size, seed).tolist() == [i for i, bit in enumerate(bits) if bit]


def test_lone_surrogate_has_a_bucket() -> None:
    assert 0 <= bucket_of("\ud800", 16, 0) < 16
