"""The page, in Chromium."""

import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve
from selenium.webdriver.common.keys import Keys

from northflank_async.audit.policy import RULES
from northflank_async.audit.renderers import html, render
from northflank_async.audit.renderers.html import format_size
from northflank_async.audit.report import AddonState, Report
from northflank_async.inventory.facts import UnreadPlace
from tests.audit.facts import DAY, HOUR, NOW, addon, backup, dump, restore, schedule
from tests.audit.test_report import ACCOUNT, ALL, STALE, WAIVER, healthy, report
from tests.support.browser import Browser, file_url

HOSTILE = (
    "<script>document.title='hacked'</script>",
    "\"' onmouseover='alert(1)' x=\"",
    "</title></style><img src=https://example.com/x onerror=alert(1)>",
    "{{ 7 * 7 }}{% raw %}",
    "&lt;b&gt;&amp;",
    "n" * 200,
    "קובץ-גיבוי-\u202egnp.exe",
    "a\x00\x1b[31m\ud800\nb",
)
POLICY = (
    WAIVER
    + """
[rules]
no-offsite = "low"
[[overrides]]
project = "staging-*"
rules.stale.max_age = "7d"
"""
)
DUMPS = healthy("dumps", project_id="shop")
DUMPS = evolve(DUMPS, backups=evolve(DUMPS.backups, items=tuple(dump(10 * HOUR + n * DAY, 2**20) for n in range(9))))
EVERYTHING = report(*ALL, DUMPS, policy=POLICY)


@pytest.fixture
def show(browser: Browser, tmp_path: Path) -> Any:
    def open_report(found: Report) -> Browser:
        path = tmp_path / "report.html"
        path.write_bytes(render(found, "html").encode("utf-8", "backslashreplace"))
        browser.open(file_url(path))
        return browser

    return open_report


@pytest.mark.slow
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
def test_the_page_renders_without_errors_and_sends_no_request(
    show: Any, browser: Browser, scheme: str, width: int
) -> None:
    browser.emulate(width=width, scheme=scheme)
    show(EVERYTHING)
    assert browser.errors() == []
    assert [url for url in browser.requested() if not url.startswith("file:///")] == []
    assert browser.texts("h1") == ["Backup audit"]
    assert browser.texts(".tile .number") == ["1", "4", "1", "0", "1"]
    assert len(browser.texts("article.card")) == 7
    assert browser.run("return document.documentElement.scrollWidth") <= width
    background = browser.run("return getComputedStyle(document.body).backgroundColor")
    assert (sum(map(int, re.findall(r"\d+", background))) > 3 * 128) is (scheme == "light")


@pytest.mark.slow
def test_findings_can_be_filtered(show: Any) -> None:
    browser = show(report(*ALL, evolve(STALE, project_id="shop", addon_id="other"), policy=WAIVER))
    rows, count = "#findings-table tbody tr", "#filter-count"
    total = len(browser.texts(rows))
    assert total == 6
    select(browser, "project", "shop")
    assert [("shop / other" in text, "stale" in text) for text in browser.texts(rows)] == [(True, True)]
    assert browser.texts(count) == ["1 of 6 findings shown"]
    select(browser, "severity", "low")
    assert browser.texts(rows) == []
    assert browser.texts("#no-match") == ["No finding matches."]
    browser.driver.find_element("css selector", "#filters button").click()
    assert len(browser.texts(rows)) == total
    select(browser, "severity", "high")
    assert [text.split()[0] for text in browser.texts(rows)] == ["high"]
    select(browser, "severity", "")
    select(browser, "status", "waived")
    assert len(browser.texts(rows)) == 1
    select(browser, "status", "")
    browser.driver.find_element("name", "text").send_keys("UNTESTED warn")
    assert len(browser.texts(rows)) == 1
    assert "untested" in browser.texts(rows)[0]


def select(browser: Browser, name: str, value: str) -> None:
    browser.run(
        f"""const field = document.querySelector("select[name={name}]"); field.value = {value!r};
        field.dispatchEvent(new Event("input", {{ bubbles: true }}));"""
    )


@pytest.mark.slow
def test_hostile_text_is_harmless(show: Any) -> None:
    addons = [
        evolve(STALE, account_id=name, team_id=name, project_id=name, addon_id=name, addon_type=name, unreadable=name)
        for name in HOSTILE
    ]
    addons += [
        addon(
            [backup(DAY, name, id=name)],
            schedules=[schedule(name, id=name)],
            restores=[restore(DAY, name, id=name, backup_id=name)],
            addon_id=f"x{name}",
            project_id=name,
        )
        for name in HOSTILE
    ]
    unread = tuple(UnreadPlace(account_id="acme", project_id=name, error=name) for name in HOSTILE)
    policy = WAIVER.replace("being migrated", "<script>alert(1)</script>")
    browser = show(report(*addons, account=evolve(ACCOUNT, unread=unread), policy=policy))
    assert browser.errors() == []
    assert [url for url in browser.requested() if not url.startswith("file:///")] == []
    assert browser.driver.title == "Backup audit, 2026-11-04 12:00 UTC"
    assert browser.run("return document.scripts.length") == 1
    assert browser.run("return document.images.length") == 0
    assert browser.run("return document.querySelectorAll('[onmouseover], [onerror], [style]').length") == 0
    assert browser.run("return document.documentElement.scrollWidth") <= 1280
    text = browser.run("return document.body.textContent")
    assert all(name in text for name in HOSTILE[:6])
    assert "\u202e" not in text
    select(browser, "project", HOSTILE[1])
    assert len(browser.texts("#findings-table tbody tr")) > 1


@pytest.mark.slow
def test_the_page_runs_no_other_script_and_loads_nothing(show: Any) -> None:
    browser = show(EVERYTHING)
    browser.run(
        """const script = document.createElement("script"); script.textContent = "document.title = 'hacked'";
        document.body.append(script); const image = new Image(); image.src = "http://127.0.0.1:9/x.png";"""
    )
    assert browser.driver.title.startswith("Backup audit")
    assert sum("Content Security Policy" in each for each in browser.errors()) == 2


@pytest.mark.slow
def test_the_page_can_be_used_with_the_keyboard(show: Any) -> None:
    browser = show(EVERYTHING)
    reached = []
    for _ in range(24):
        browser.driver.switch_to.active_element.send_keys(Keys.TAB)
        reached.append(browser.run("return document.activeElement.name || document.activeElement.tagName"))
        assert browser.run("return getComputedStyle(document.activeElement).outlineStyle") != "none"
    assert reached[0] == "A"
    assert [name for name in ("project", "severity", "status", "text", "SUMMARY") if name not in reached] == []


@pytest.mark.slow
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_has_contrast(show: Any, browser: Browser, scheme: str) -> None:
    browser.emulate(scheme=scheme)
    show(EVERYTHING)
    worst = browser.run(
        """
        const luminance = (color) => {
          const [r, g, b] = color.match(/[\\d.]+/g).map(Number).map((each) => {
            const part = each / 255;
            return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
          });
          return 0.2126 * r + 0.7152 * g + 0.0722 * b;
        };
        const background = (element) => {
          for (let each = element; each; each = each.parentElement) {
            const color = getComputedStyle(each).backgroundColor;
            if (color !== "rgba(0, 0, 0, 0)") return color;
          }
          return "rgb(255, 255, 255)";
        };
        const contrast = (element) => {
          const style = getComputedStyle(element);
          const pair = [element.tagName === "text" ? style.fill : style.color, background(element)];
          const [high, low] = pair.map(luminance).sort((a, b) => b - a);
          return (high + 0.05) / (low + 0.05);
        };
        const shown = [...document.body.querySelectorAll("*")].filter(
          (each) => [...each.childNodes].some((node) => node.nodeType === 3 && node.textContent.trim()));
        return shown.map((each) => [contrast(each), each.outerHTML.slice(0, 80)]).sort((a, b) => a[0] - b[0])[0];
        """
    )
    assert worst[0] >= 4.5, worst


@pytest.mark.slow
def test_tables_have_captions_and_headers_and_ids_are_unique(show: Any) -> None:
    browser = show(EVERYTHING)
    assert browser.run("return document.documentElement.lang") == "en"
    tables = browser.run("return document.querySelectorAll('table').length")
    assert tables == browser.run("return document.querySelectorAll('table > caption').length") > 7
    assert browser.run("return document.querySelectorAll('th:not([scope])').length") == 0
    assert browser.run("return document.querySelectorAll('svg:not([aria-label]):not([aria-hidden])').length") == 0
    ids = browser.run("return [...document.querySelectorAll('[id]')].map((each) => each.id)")
    assert len(ids) == len(set(ids))
    links = browser.run("return [...document.links].map((each) => each.getAttribute('href'))")
    assert {link.removeprefix("#") for link in links} <= set(ids)


@pytest.mark.slow
def test_a_printed_page_is_light_and_shows_the_evidence(show: Any, browser: Browser) -> None:
    show(EVERYTHING)
    browser.emulate(scheme="dark", media="print")
    assert browser.texts("#filters, nav") == []
    assert browser.run("return getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert (
        browser.run(
            "dispatchEvent(new Event('beforeprint')); return document.querySelectorAll('details:not([open])').length"
        )
        == 0
    )


def test_a_missed_day_is_named_and_has_its_own_shape() -> None:
    backups = [backup(10 * HOUR + n * DAY) for n in range(90) if n != 3]
    page = render(report(addon(backups, schedules=[schedule(retention_time=90)], restores=[restore(DAY)])), "html")
    assert "Missed: 1 Nov." in page
    assert 'aria-label="Backups of the last 90 days, by day: 89 completed, 1 missed: due by a schedule' in page
    assert page.count('<path class="m"') == 2  # in the legend, too


def test_the_page_has_the_sizes_of_dumps_and_the_restores() -> None:
    page = render(report(DUMPS), "html")
    assert "Sizes of 9 dumps: from 1.0 MiB to 1.0 MiB, the last 1.0 MiB" in page
    assert '<time datetime="2026-11-03T12:00:00Z">2026-11-03</time></td><td>completed</td>' in page
    assert "Restores are not known: its restores were never read." in render(report(addon(restores=None)), "html")


def test_the_appendix_has_the_policy_and_the_waivers() -> None:
    page = render(EVERYTHING, "html")
    appendix = page[page.index('id="policy"') :]
    assert all(f"<code>{rule}</code>" in appendix for rule in RULES)
    assert "<strong>severity: low</strong>" in appendix
    assert "project staging-*" in appendix
    assert "stale.max_age = 7 days" in appendix
    assert "being migrated</td><td>2026-11-05</td>" in appendix
    assert "expired" in render(report(*ALL, policy=WAIVER, now=NOW + 9 * DAY), "html").split('id="waivers"')[1]


def test_the_page_says_how_complete_the_data_is() -> None:
    assert "<strong>Complete:</strong>" in render(report(healthy("a")), "html")
    page = render(report(*ALL, account=evolve(ACCOUNT, synced_at=NOW - 3 * HOUR)), "html")
    assert "<strong>Incomplete:</strong>" in page
    assert "2 checks could not be made. 1 addon, project or account could not be read." in " ".join(page.split())
    assert '2026-11-04 09:00 UTC</time> <span class="muted">(3 h ago)</span>' in page


def test_an_empty_report_is_a_page() -> None:
    page = render(report(), "html")
    assert "There are none." in page
    assert "<script" not in page


def test_a_large_report_says_what_it_leaves_out(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, number in (("MOST_CARDS", 3), ("MOST_LINES", 4), ("MOST_FINDINGS", 2)):
        monkeypatch.setattr(html, name, number)
    addons = [healthy(f"h{number}") for number in range(6)]
    addons += [evolve(STALE, addon_id=f"s{number}") for number in range(5)]
    found = report(*addons)
    page = " ".join(render(found, "html").split())
    assert "Only these 3 of 11 addons have a calendar" in page
    assert "4 more addons are not listed here," in page
    assert "Of the open findings of <code>stale</code>, 3 more are not listed here," in page
    assert page.count("<article") == 3
    cards = page[page.index('id="addons"') : page.index('id="others"')]
    assert all(f"<bdi>s{number}</bdi>" in cards for number in range(3))
    assert [each.state for each in found.addons].count(AddonState.CRITICAL) == 5


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (0, "0 B"),
        (1023, "1,023 B"),
        (1024, "1.0 KiB"),
        (150 * 2**20, "150 MiB"),
        (2**63, "8,192 PiB"),
        (None, "not known"),
    ],
)
def test_sizes_are_readable(size: int | None, text: str) -> None:
    assert format_size(size) == text


def test_a_chart_of_empty_dumps_is_flat() -> None:
    facts = evolve(DUMPS, backups=evolve(DUMPS.backups, items=(dump(HOUR, 0), dump(HOUR + timedelta(days=1), 0))))
    assert "Sizes of 2 dumps: from 0 B to 0 B, the last 0 B" in render(report(facts), "html")
