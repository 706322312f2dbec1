import crawleruseragents
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.agents import DEVICES, Agent, agent_from_context, are_bots, is_bot, parse_agent

CHROME = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/124.0.0.0 Safari/537.36"
)
IPHONE = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 17_4 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.4 "
    "Mobile/15E148 Safari/604.1"
)
ANDROID = "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/124.0.0.0{} Safari/537.36"
GOOGLEBOT = "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)"


@pytest.mark.parametrize(
    ("text", "agent"),
    [
        (CHROME, Agent("Chrome", "Windows", "desktop")),
        (IPHONE, Agent("Mobile Safari", "iOS", "mobile")),
        (ANDROID.format(" Mobile"), Agent("Chrome Mobile", "Android", "mobile")),
        (ANDROID.format(""), Agent("Chrome", "Android", "tablet")),
        (
            "Mozilla/5.0 (iPad; CPU OS 12_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/12.1.2 "
            "Mobile/15E148 Safari/604.1",
            Agent("Mobile Safari", "iOS", "tablet"),
        ),
        (
            "Mozilla/5.0 (X11; Ubuntu; Linux x86_64; rv:125.0) Gecko/20100101 Firefox/125.0",
            Agent("Firefox", "Ubuntu", "desktop"),
        ),
        (
            "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.4 "
            "Safari/605.1.15",
            Agent("Safari", "Mac OS X", "desktop"),
        ),
        (
            "Mozilla/5.0 (Web0S; Linux/SmartTV) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/79.0 Safari/537.36",
            Agent("Chrome", "Linux", "tv"),
        ),
        ("", Agent("Other", "Other", "other")),
        ("nothing known", Agent("Other", "Other", "other")),
    ],
)
def test_browser_system_and_device(text: str, agent: Agent):
    found = parse_agent(text)
    assert found.device == agent.device
    if agent.device != "tv":  # what the family of a television's browser is, is a matter of taste
        assert found == agent


@given(st.text() | st.text(alphabet="Mozila/5.0 ();Android iPhoneTV", max_size=60))
def test_any_text_is_parsed(text: str):
    assert parse_agent(text).device in DEVICES


def test_robots_that_name_themselves():
    assert is_bot(GOOGLEBOT)
    assert is_bot("curl/8.5.0")
    assert not is_bot(CHROME)
    assert not is_bot("")


def test_many_at_once_are_judged_as_one_by_one():
    known = [text for entry in crawleruseragents.CRAWLER_USER_AGENTS_DATA[::40] for text in entry["instances"][:2]]
    texts = [*known, CHROME, IPHONE, "", "Bot", None, "x" * 5000 + "Googlebot/"]
    assert are_bots(pa.array(texts)).tolist() == [text is not None and is_bot(text) for text in texts]
    assert are_bots(pa.array(known)).all()


def test_the_list_says_bots_and_the_fast_way_agrees_on_all_of_it():
    known = pa.array([text for entry in crawleruseragents.CRAWLER_USER_AGENTS_DATA for text in entry["instances"]])
    assert are_bots(known).sum() == len(known)


@pytest.mark.parametrize(
    ("context", "agent"),
    [
        (
            '{"device":{"type":"mobile"},"os":{"name":"iOS"},"browser":{"name":"Safari"}}',
            Agent("Safari", "iOS", "mobile"),
        ),
        ('{"device":{"type":"ios"},"os":{"name":"iOS"}}', Agent("Other", "iOS", "mobile")),
        ('{"os":{"name":"Linux"}}', Agent("Other", "Linux", "other")),
        ('{"device":{"type":"toaster"}}', Agent("Other", "Other", "other")),
        ('{"device":"mobile","os":{"name":5}}', None),
        ("{}", None),
        ("[1]", None),
        ("{", None),
    ],
)
def test_contexts_say_it_where_there_is_no_user_agent(context: str, agent: Agent | None):
    assert agent_from_context(context) == agent
