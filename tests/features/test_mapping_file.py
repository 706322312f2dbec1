from pathlib import Path

import pytest

from features.mapping_file import MappingError, load_mapping

GOOD = """
[columns]
anonymous_id = "{visitor}"
event = "{what}"
timestamp_us = { column = "when", unit = "s" }
"""


def load(tmp_path: Path, text: str) -> object:
    path = tmp_path / "shop.toml"
    path.write_text(text)
    return load_mapping(str(path))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            GOOD + "[colums]\n",
            "shop.toml: unknown table 'colums'; expected one of columns, properties, context, values",
        ),
        (
            GOOD + 'link = "{x}"\n',
            "shop.toml: unknown key of \\[columns\\] 'link'; expected one of message_id, anonymous_id",
        ),
        (GOOD + "url = 5\n", 'shop.toml: columns.url is 5; expected a string such as "{column}" or a constant'),
        (
            GOOD + 'url = "/{x"\n',
            "shop.toml: columns.url = '/{x' has a single '{'; expected {column}, or '{{' for a brace",
        ),
        (
            GOOD + 'url = "{x.y()}"\n',
            "shop.toml: columns.url = '{x.y\\(\\)}' has '{x.y\\(\\)}'; expected the plain name of a",
        ),
        (GOOD.replace('"s"', '"weeks"'), "columns.timestamp_us has unit 'weeks'; expected .* iso, s, ms, us, ns"),
        (
            GOOD.replace("column =", "colum ="),
            "columns.timestamp_us is {'colum': 'when', 'unit': 's'}; expected { column",
        ),
        (
            GOOD.replace("timestamp_us", "received_at_us"),
            "\\[columns\\] lacks timestamp_us; add timestamp_us = { column",
        ),
        (
            GOOD.replace("anonymous_id", "url"),
            '\\[columns\\] lacks anonymous_id; add anonymous_id = "{...}", or user_id',
        ),
        (GOOD.replace("event", "url"), '\\[columns\\] lacks event; add event = "{...}", or a type that names itself'),
        (
            GOOD + 'type = "click"\n',
            "shop.toml: type 'click' is unknown; expected one of track, page, screen, identify",
        ),
        (GOOD + 'type = "{k}"\n[values.type]\nv = "click"\n', "type 'click' is unknown"),
        (GOOD + "[values.event]\nview = 5\n", "shop.toml: values.event.view is 5; expected a string"),
        (GOOD + '[values.url]\nx = "y"\n', "unknown key of \\[values\\] 'url'; expected one of anonymous_id, event"),
        (
            GOOD + "[properties]\nprice = { num = 1 }\n",
            "properties.price is {'num': 1}; expected a template or { number =",
        ),
        ("properties = 5\n" + GOOD, "shop.toml: properties is 5; expected a table \\[properties\\]"),
        ("columns = 5", "shop.toml: columns is 5; expected a table \\[columns\\]"),
        ("[columns", "shop.toml: not valid TOML: "),
    ],
)
def test_a_mistake_is_named_with_its_place_and_what_is_expected(tmp_path: Path, text: str, message: str):
    with pytest.raises(MappingError, match=message) as caught:
        load(tmp_path, text)
    assert "\n" not in str(caught.value)


def test_a_missing_file_is_named(tmp_path: Path):
    with pytest.raises(MappingError, match="nowhere.toml: no mapping file can be read there .*no such file"):
        load_mapping(str(tmp_path / "nowhere.toml"))


def test_a_file_that_is_no_text_is_named(tmp_path: Path):
    path = tmp_path / "m.toml"
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(MappingError, match="m.toml: .*not UTF-8"):
        load_mapping(str(path))


@pytest.mark.parametrize("kind", ["page", "screen"])
def test_calls_that_name_themselves_need_no_event(tmp_path: Path, kind: str):
    text = GOOD.replace('event = "{what}"', f'type = "{kind}"')
    assert load(tmp_path, text).name == "shop"
