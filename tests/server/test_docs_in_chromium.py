"""The page for people, used as a person would."""

from __future__ import annotations

import pytest

from tests.server.browser import CHROMIUM, browser
from tests.server.live import event, live_server

pytestmark = [pytest.mark.browser, pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed")]


@pytest.fixture(scope="module")
def page():
    with browser() as page:
        yield page


def opened(page, server, **options):
    page.open(f"{server.url}/docs", **options)
    page.wait("document.querySelector('#operations form') !== null")
    return page


def fill(page, **values):
    for name, value in values.items():
        page.run(f"""(() => {{
            const label = [...document.querySelectorAll('label, legend')].find((one) => one.textContent.startsWith('{name} '));
            const control = document.getElementById(label.htmlFor) ?? label.parentElement.querySelector('textarea, input');
            control.value = {value!r};
            control.dispatchEvent(new Event('input', {{ bubbles: true }}));
        }})()""")


def submit(page):
    page.run("document.querySelector('#operations form').requestSubmit()")


def outcome(page):
    return page.wait(
        "(/succeeded|failed|canceled/.exec(document.querySelector('#operations [role=status]').textContent) ?? [])[0]"
    )


def answer(page):
    return page.run("document.querySelector('#operations [role=group]').innerText")


def test_a_prediction_is_run_with_what_the_form_says(page, plain):
    opened(page, plain)
    fill(page, text="<b>Ada</b>")
    submit(page)
    assert outcome(page) == "succeeded"
    assert "hello <b>Ada</b>" in answer(page)
    assert page.run("document.querySelector('#operations b')") is None
    assert page.problems == []
    assert {url.removeprefix(plain.url) for url in page.requested} == {
        "/docs",
        "/health-check",
        "/openapi.json",
        "/predictions",
    }


def test_every_type_of_input_has_a_control_that_gives_it(page, types, tmp_path):
    picture = tmp_path / "a.txt"
    picture.write_text("in a file")
    opened(page, types)
    fill(
        page, s="xyz", i="7", f="1.5", b="true", choice='"green"', things='{"a": [1]}', maybe="per haps", secret="hush"
    )
    selector = page.run("""(() => { const label = [...document.querySelectorAll('label')].find((one) => one.textContent.startsWith('path '));
        return '#' + label.htmlFor; })()""")
    page.upload(selector, str(picture))
    submit(page)
    assert outcome(page) == "succeeded"
    said = answer(page)
    for word in ("'xyz'", '"7"', '"1.5"', '"True"', "'green'", "{'a': [1]}", "'per haps'", "in a file", "hush"):
        assert word in said


def test_what_cannot_be_used_is_said_at_its_field(page, types):
    opened(page, types)
    fill(page, i="many")
    submit(page)
    problem = "document.querySelector('[aria-invalid=true]')?.parentElement.querySelector('[role=alert]').textContent"
    assert page.wait(problem) == "Not a whole number"
    fill(page, i="11")
    submit(page)
    page.wait(f"{problem} === '11 is greater than the maximum of 10'")


def test_the_command_is_the_same_request_without_the_secret(page, types):
    opened(page, types)
    page.run("document.querySelectorAll('#operations details').forEach((one) => { one.open = true; })")
    fill(page, s="it", secret="hush")
    command = page.wait(
        "[...document.querySelectorAll('pre')].map((one) => one.textContent).find((one) => one.startsWith('curl') && one.includes('*****'))"
    )
    assert "hush" not in command
    assert f"'{types.url}/predictions'" in command
    assert '"s":"it"' in command


def test_a_running_prediction_can_be_cancelled(page, plain):
    opened(page, plain)
    fill(page, op="sleep", seconds="20")
    before = len(plain.lines)
    submit(page)
    event(plain, '"begin"', since=before)  # BUSY is said sooner, and what is cancelled by then has written nothing
    page.run("[...document.querySelectorAll('button')].find((one) => one.textContent === 'Cancel').click()")
    assert outcome(page) == "canceled"
    assert "begin" in answer(page)


def test_a_failure_is_shown_with_its_logs(page, plain):
    opened(page, plain)
    fill(page, op="fail", text="<i>bad</i>")
    submit(page)
    assert outcome(page) == "failed"
    assert "ValueError: <i>bad</i>" in answer(page)
    assert "about to fail" in answer(page)


def test_a_stream_is_shown_as_it_comes(page):
    with live_server("streaming") as server:
        opened(page, server)
        assert page.run("document.querySelector('#operations [type=checkbox]').checked")
        submit(page)
        assert outcome(page) == "succeeded"
        assert page.problems == []


def test_files_are_shown_as_what_they_are(page):
    with live_server("pictures") as server:
        opened(page, server)
        submit(page)
        assert outcome(page) == "succeeded"
        assert page.run("document.querySelector('#operations img').src").startswith("data:image/png;base64,")
        saved = "[...document.querySelectorAll('#operations a[download]')].map((one) => one.textContent).join()"
        assert page.run(saved).startswith("Save image/png,Save text/plain")
        assert page.problems == []  # what is no picture is no breach of the policy


def test_the_token_is_asked_for_where_nothing_else_adds_it(page):
    with live_server("plain", COG_AUTH_TOKEN="s3cret") as server:
        page.call("Network.setExtraHTTPHeaders", headers={"Authorization": "Bearer s3cret"})
        opened(page, server)
        page.call("Network.setExtraHTTPHeaders", headers={})
        submit(page)
        page.wait("!document.getElementById('token-form').hidden")
        page.run("document.getElementById('token').value = 's3cret'")
        page.run("document.querySelector('#operations form').dataset.old = 'yes'")  # a new one comes with the token
        page.run("document.getElementById('token-form').requestSubmit()")
        page.wait("document.getElementById('token-form').hidden && document.querySelector('#operations form') !== null")
        page.wait("document.querySelector('#operations form:not([data-old])') !== null")
        submit(page)
        assert outcome(page) == "succeeded"


def test_a_setup_that_failed_is_shown_with_its_logs(page):
    with live_server("setup_fails") as server:
        page.open(f"{server.url}/docs")
        page.wait("document.getElementById('notice').textContent.includes('RuntimeError: no gpu')")
        assert page.run("document.getElementById('health').textContent") == "SETUP_FAILED"


@pytest.mark.parametrize("dark", [False, True])
def test_it_fits_a_phone_and_can_be_read(page, types, dark):
    opened(page, types, width=360, dark=dark)
    assert page.run("document.documentElement.scrollWidth <= innerWidth")
    assert page.run("""[...document.querySelectorAll('input, textarea, select')].every((one) =>
        one.labels.length > 0 || one.hasAttribute('aria-label'))""")
    assert page.run(CONTRAST) >= 4.5


CONTRAST = """(() => {
    const light = (color) => {
        const [r, g, b] = color.match(/[\\d.]+/g).map(Number).map((part) => part / 255)
            .map((part) => part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4);
        return 0.2126 * r + 0.7152 * g + 0.0722 * b;
    };
    const page = light(getComputedStyle(document.body).backgroundColor === 'rgba(0, 0, 0, 0)'
        ? 'rgb(255, 255, 255)' : getComputedStyle(document.body).backgroundColor);
    return Math.min(...[...document.querySelectorAll('h1, h2, .hint, .kind, .badge, a')].map((one) => {
        const text = light(getComputedStyle(one).color);
        return (Math.max(text, page) + 0.05) / (Math.min(text, page) + 0.05);
    }));
})()"""
