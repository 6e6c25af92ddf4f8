import pytest
from hypothesis import given
from hypothesis import strategies as st

from axiomrl.config.secrets import looks_secret, mask_argv, mask_mapping, mask_text, mask_value


@pytest.mark.parametrize(
    "key",
    ["api_key", "API_KEY", "apikey", "HF_TOKEN", "token", "authToken", "--token", "secret", "key",
     "secretKey", "password", "dbPassword", "db_passwd", "passwords", "api_keys", "wandb_key",
     "AWS_SECRET_ACCESS_KEY", "credentials", "environment.kwargs.api_key", "Authorization"],
)  # fmt: skip
def test_key_of_a_secret_is_recognised(key: str) -> None:
    assert looks_secret(key)
    assert mask_value(key, "abc") == "***"


@pytest.mark.parametrize(
    "key",
    ["n_tokens", "max_tokens", "token_dim", "pad_token", "image_key", "filter_keys", "sort_key",
     "monkey", "keyboard", "password_file", "access_key_id", "learning_rate", "n_steps", "suite",
     "hidden_sizes", "", "3"],
)  # fmt: skip
def test_other_key_is_left_alone(key: str) -> None:
    assert not looks_secret(key)
    assert mask_value(key, "abc") == "abc"


def test_numbers_are_masked_only_where_they_can_be_secrets() -> None:
    assert mask_value("password", 12) == "***"
    assert mask_value("token", 12345678) == "***"
    assert mask_value("token", 3) == 3
    assert mask_value("key", 0.5) == 0.5


@pytest.mark.parametrize("value", [None, True, ""])
def test_what_holds_no_secret_is_not_masked(value: object) -> None:
    assert mask_value("password", value) == value


def test_mapping_is_masked_at_every_depth() -> None:
    kwargs = {"user": "me", "credentials": {"name": "me", "pin": ["1", "2"]}}
    values = {"url": "https://me:pw@host/x", "list": [{"api_key": "k"}, {"n": 1}], "kwargs": kwargs}
    assert mask_mapping(values) == {
        "url": "https://***@host/x",
        "list": [{"api_key": "***"}, {"n": 1}],
        "kwargs": {"user": "me", "credentials": {"name": "***", "pin": ["***", "***"]}},
    }
    assert values["kwargs"]["user"] == "me"


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("https://me:pw@host/a", "https://***@host/a"),
        ("postgres://me:p@ss@host/a", "postgres://***@host/a"),
        ("https://ghost@host", "https://***@host"),
        ("ssh://git@host/x", "ssh://git@host/x"),
        ("http://host:80/a@b", "http://host:80/a@b"),
        ("https://h/?token=abc&x=1", "https://h/?token=***&x=1"),
        ("+API_KEY=abc", "+API_KEY=***"),
        ("-  token: abc", "-  token: ***"),
        ('password: "a b"', 'password: "***"'),
        ('+api_key: str = "abc"', '+api_key: str = "***"'),
        ('os.environ["TOKEN"] = "x"', 'os.environ["TOKEN"] = "***"'),
        ('if password == "hunter2":', 'if password == "***":'),
        ("{'secret': 'x', 'n': 2}", "{'secret': '***', 'n': 2}"),
        ("run --api-key abc --x 1", "run --api-key *** --x 1"),
        ("see ghp_0123456789abcdef0123", "see ***"),
        ("Bearer abcdefghijkl", "Bearer ***"),
        ("key = split(key)", "key = split(key)"),
        ("def f(key: str, n_tokens=7)", "def f(key: str, n_tokens=7)"),
        ("password = None", "password = None"),
        ("gamma: 0.99", "gamma: 0.99"),
    ],
)
def test_text_is_masked_where_it_shows_a_secret(text: str, masked: str) -> None:
    assert mask_text(text) == masked


def test_private_key_in_a_diff_keeps_its_lines() -> None:
    diff = "+-----BEGIN RSA PRIVATE KEY-----\n+abc\n+-----END RSA PRIVATE KEY-----\n+x = 1\n"
    assert mask_text(diff) == "+***\n+***\n+***\n+x = 1\n"


def test_command_line_is_masked() -> None:
    # fmt: off
    argv = ["axiomrl", "--token", "abc", "--seed", "3", "--set", "environment.kwargs.api_key=xyz",
            "--set", "environment.kwargs={secret: xyz, a: 2}", "--password=1", "u://a:b@h"]
    assert mask_argv(argv) == [
        "axiomrl", "--token", "***", "--seed", "3", "--set", "environment.kwargs.api_key=***",
        "--set", "environment.kwargs={secret: ***, a: 2}", "--password=***", "u://***@h",
    ]
    # fmt: on


@pytest.mark.parametrize("piece", ["a", " ", "token: ", "--key ", "https://", "x = '\\\\"])
def test_long_texts_are_masked_in_linear_time(piece: str) -> None:
    text = "token:" + piece * 20_000  # a search that begins again everywhere would not end
    assert "\n" not in mask_text(text)


def test_flag_is_not_taken_for_the_value_of_the_one_before() -> None:
    assert mask_argv(["--token", "--seed", "3"]) == ["--token", "--seed", "3"]


@given(
    st.text() | st.from_regex(r"(?:token|a b|https://|--key|:|=|@|\"|\n|x){0,12}", fullmatch=True)
)
def test_masking_twice_changes_no_more_and_keeps_lines(text: str) -> None:
    masked = mask_text(text)
    assert mask_text(masked) == masked
    assert masked.count("\n") == text.count("\n")
