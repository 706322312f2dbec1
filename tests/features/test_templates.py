import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.templates import Template, TemplateError

COLUMNS = {"a": pa.array(["1", None, "é"]), "b c": pa.array(["x", "y", ""]), "user.id": pa.array(["u", "v", "w"])}


def render(text: str) -> list[str | None]:
    return Template.parse(text).render(COLUMNS.__getitem__, 3).to_pylist()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("/item/{a}", ["/item/1", None, "/item/é"]),
        ("{a}", ["1", None, "é"]),
        ("{a}-{b c}", ["1-x", None, "é-"]),
        ("{user.id}@", ["u@", "v@", "w@"]),
        ("constant", ["constant"] * 3),
        ("", [""] * 3),
        ("{{a}}", ["{a}"] * 3),
        ("{{{b c}}}", ["{x}", "{y}", "{}"]),
    ],
)
def test_columns_are_put_into_text(text: str, expected: list[str | None]):
    assert render(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "{",
        "}",
        "a{b",
        "{a}}",
        "{}",
        "{a!r}",
        "{a:>10}",
        "{a[0]}",
        "{a.__class__()}",
        "{{a}",
        "{a{b}}",
        "{ a}",
        "{0:{a}}",
    ],
)
def test_anything_but_a_plain_name_between_braces_is_refused(text: str):
    with pytest.raises(TemplateError):
        Template.parse(text)


def test_a_path_only_ever_names_a_column():
    with pytest.raises(KeyError):  # the lookup is asked for exactly this name; nothing is evaluated
        render("{a.__class__.__mro__}")


@given(st.text())
def test_text_with_doubled_braces_stands_for_itself(text: str):
    template = Template.parse(text.replace("{", "{{").replace("}", "}}"))
    assert template.constant == text


@given(st.text(alphabet="{}ab.!: ", max_size=12))
def test_any_text_is_parsed_or_refused(text: str):
    try:
        template = Template.parse(text)
    except TemplateError:
        return
    assert all(name and not set(name) & set("{}!:") for name in template.columns)
