import pyarrow as pa
import pytest

from features.consent import AGREES, REFUSES, opted_out, stated_consent


def stated(**categories: object) -> dict:
    return {"consent": {"categoryPreferences": categories}}


@pytest.mark.parametrize(
    ("context", "categories", "forbidden"),
    [
        ({}, (), False),
        ({}, ("Analytics",), False),
        ({"consent": None}, ("Analytics",), False),
        ({"consent": {}}, ("Analytics",), False),
        (stated(Analytics=True, Advertising=False), (), False),
        (stated(Analytics=False, Advertising=False), (), True),
        (stated(), (), False),
        (stated(Analytics=True, Advertising=False), ("Analytics",), False),
        (stated(Analytics=True, Advertising=False), ("Analytics", "Advertising"), True),
        (stated(Advertising=True), ("Analytics",), True),
        (stated(Analytics="true"), ("Analytics",), True),  # only a plain true agrees
        ({"consent": "no"}, (), True),
        ({"consent": {"categoryPreferences": [1]}}, (), True),
    ],
)
def test_consent(context: dict, categories: tuple[str, ...], forbidden: bool):
    assert opted_out(context, categories) is forbidden


def test_stated_consent_of_a_column() -> None:
    texts = [
        None,
        "{}",
        '{"consent":{"categoryPreferences":{"Advertising":false,"Analytics":true}}}',
        '{"consent":{"categoryPreferences":{"Advertising":false}}}',
        '{"consent":7}',
        '{"page":{"title":"\\"consent\\""}}',
        'broken "consent"',
    ]
    assert stated_consent(pa.array(texts)).to_pylist() == [None, None, AGREES, REFUSES, REFUSES, None, None]
    asked = stated_consent(pa.array(texts).dictionary_encode(), ("Advertising",)).to_pylist()
    assert asked == [None, None, REFUSES, REFUSES, REFUSES, None, None]
