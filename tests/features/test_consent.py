import pytest

from features.consent import opted_out


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
