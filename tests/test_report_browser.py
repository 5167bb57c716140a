"""The report in a real, headless Chromium: what is clicked, typed and shown; its console stays empty."""

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

import evonas
from evonas.report import write
from evonas.report.watch import ReportServer
from tests.browser import PROGRAM, Browser, Chromium
from tests.test_loop import Stop, run, stopping_after
from tests.test_report import HOSTILE, hostile_run

pytestmark = pytest.mark.skipif(PROGRAM is None, reason="needs chromium (Debian: apt-get install chromium)")
SHOWN = "document.getElementById('drawer').hidden ? '' : document.getElementById('drawer-title').textContent"
WIDTHS = "[document.documentElement.scrollWidth, innerWidth]"


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> evonas.Run:
    folder = tmp_path_factory.mktemp("browser") / "run"
    limits = [{"metric": "params", "at_most": 900}]
    return run(folder, work={"failing": (5, 11), "unbuildable": (7,), "weights_kb": 0.1}, limits=limits)


@pytest.fixture(scope="module")
def chromium() -> Iterator[Chromium]:
    with Chromium() as chromium:
        yield chromium


@pytest.fixture
def browser(chromium: Chromium) -> Iterator[Browser]:
    with Browser(chromium) as browser:
        yield browser
        assert browser.complaints == []


def rows(browser: Browser) -> list[str]:
    found: list[str] = browser.ask("[...document.querySelectorAll('#table tbody tr')].map(r => r.dataset.candidate)")
    return found


def test_a_click_on_a_point_opens_its_candidate(browser: Browser, found: evonas.Run) -> None:
    page = write(found).as_uri()
    browser.open(page)
    candidate = int(found.front()["candidate"].iloc[-1])
    assert browser.ask(SHOWN) == ""
    browser.click(f'#overlay [data-candidate="{candidate}"]')
    assert browser.ask(SHOWN) == f"Candidate {candidate}"
    text = browser.ask("document.getElementById('drawer-body').innerText")
    for part in ("Architecture", "Learning curve", "Lineage", "Export"):
        assert part in text
    assert f" {candidate} --import your_module" in text
    assert browser.ask("location.hash") == f"#candidate-{candidate}"
    browser.press("Escape")
    assert browser.ask(SHOWN) == ""
    assert browser.requests == [page], "the page asks for nothing"


def test_a_point_off_the_front_opens_too(browser: Browser, found: evonas.Run) -> None:
    """Those are drawn on a canvas; the nearest to the pointer is meant."""
    browser.open(write(found).as_uri())
    candidate = int(found.evaluations.query("status == 'stopped'")["candidate"].iloc[0])
    browser.ask(f"location.hash = '#candidate-{candidate}'")
    browser.until(lambda: browser.ask(SHOWN) == f"Candidate {candidate}")
    browser.ask("document.querySelector('#overlay .ring').setAttribute('id', 'place')")
    place = browser.ask("JSON.parse(JSON.stringify(document.getElementById('place').getBoundingClientRect()))")
    browser.ask("document.getElementById('place').remove()")
    browser.ask("location.hash = '#candidate-0'")
    browser.until(lambda: browser.ask(SHOWN) == "Candidate 0")
    at = f"{{clientX: {place['x'] + place['width'] / 2}, clientY: {place['y'] + place['height'] / 2}}}"
    browser.ask(f"document.getElementById('overlay').dispatchEvent(new MouseEvent('click', {at}))")
    assert browser.ask(SHOWN) == f"Candidate {candidate}"


def test_the_keyboard_does_it_all(browser: Browser, found: evonas.Run) -> None:
    browser.open(write(found).as_uri())
    browser.ask("document.querySelector('#overlay [tabindex]').focus()")
    browser.press("Enter")
    assert browser.ask(SHOWN).startswith("Candidate ")
    assert browser.ask("document.activeElement.id") == "drawer-title"
    browser.press("Escape")
    assert browser.ask("document.activeElement.closest('[data-candidate]') !== null"), "back to where one came from"


def test_the_table_sorts_and_filters(browser: Browser, found: evonas.Run) -> None:
    browser.open(write(found).as_uri())
    front = [str(index) for index in found.front()["candidate"]]
    assert rows(browser) == front
    browser.click('#table th button[data-column="error"]')
    assert rows(browser) == front[::-1]
    assert browser.ask("document.querySelector('th[aria-sort=descending]').innerText").startswith("error")
    browser.click("#only-front")
    assert len(rows(browser)) == 40
    browser.type("#filter", "params<=300 status=ok")
    frame = found.evaluations
    assert set(rows(browser)) == set(map(str, frame[(frame["params"] <= 300) & (frame["status"] == "ok")]["candidate"]))
    browser.type("#filter", "params <= 300 status==ok")  # as --where of the command line takes it
    assert set(rows(browser)) == set(map(str, frame[(frame["params"] <= 300) & (frame["status"] == "ok")]["candidate"]))
    browser.type("#filter", "paramz<5")
    assert browser.ask("document.getElementById('count').innerText").startswith("there is no column paramz")
    browser.type("#filter", "status=failed")
    assert set(rows(browser)) == set(map(str, frame[frame["status"].str.startswith("failed")]["candidate"])) >= {"7"}
    browser.type("#filter", "layer fit")
    assert rows(browser) == ["7"]
    browser.click("#table tbody tr")
    assert "layer 7 does not fit" in browser.ask("document.getElementById('drawer-body').innerText")


def test_hostile_text_is_shown_as_text(browser: Browser, tmp_path: Path) -> None:
    browser.open(write(hostile_run(tmp_path / "run")).as_uri())
    browser.ask("location.hash = '#candidate-3'")
    browser.until(lambda: browser.ask(SHOWN) == "Candidate 3")
    assert HOSTILE in browser.ask("document.getElementById('drawer-body').textContent")
    assert browser.ask("document.querySelectorAll('img').length + document.scripts.length") == 2
    assert browser.ask("document.documentElement.scrollWidth <= innerWidth")


@pytest.mark.parametrize("width", [320, 400, 1000, 1280])
@pytest.mark.parametrize("dark", [False, True])
def test_nothing_is_cut_off_at_any_width(chromium: Chromium, found: evonas.Run, width: int, dark: bool) -> None:
    with Browser(chromium, width, 800, dark=dark) as browser:
        browser.open(write(found).as_uri())
        page, window = browser.ask(WIDTHS)
        assert page <= window
        for which, column in (
            ("x", "macs"),
            ("y", "params"),
            ("x", "train_memory_mb"),
            ("x", "params"),
            ("y", "error"),
        ):
            browser.ask(f"document.getElementById('axis-{which}').value = '{column}'")
            browser.ask(f"document.getElementById('axis-{which}').dispatchEvent(new Event('change'))")
            assert overlaps(browser) == []
            browser.click(f"#log-{which}")
            assert overlaps(browser) == []
        candidate = found.front()["candidate"].iloc[0]
        browser.click(f'#overlay [data-candidate="{candidate}"]')
        inside, outside = browser.ask("[drawer.scrollWidth, drawer.clientWidth]".replace("drawer", "window.drawer"))
        assert inside <= outside
        assert browser.ask("window.drawer.getBoundingClientRect().x >= 0")
        assert overlaps(browser) == []
        assert browser.complaints == []


def overlaps(browser: Browser) -> list[list[str]]:
    """Pairs of labels of the plot of which one is upon the other, and labels that leave it."""
    found: list[list[str]] = browser.ask(
        """(() => {
          const box = (element) => element.getBoundingClientRect();
          const frame = box(document.getElementById("plot"));
          const labels = [...document.querySelectorAll("#overlay text")].map((one) => [one.textContent, box(one)]);
          const meet = (a, b) => a.left < b.right && b.left < a.right && a.top < b.bottom && b.top < a.bottom;
          const out = labels.filter(([, a]) => a.left < frame.left - 1 || a.right > frame.right + 1);
          const pairs = labels.flatMap((a, i) => labels.slice(i + 1).map((b) => [a, b]));
          return out.map(([a]) => [a, "cut off"])
            .concat(pairs.filter(([a, b]) => meet(a[1], b[1])).map(([a, b]) => [a[0], b[0]]));
        })()"""
    )
    return found


def test_dark_and_light_are_different(chromium: Chromium, found: evonas.Run) -> None:
    shades = []
    for dark in (False, True):
        with Browser(chromium, dark=dark) as browser:
            browser.open(write(found).as_uri())
            shades.append(browser.ask("getComputedStyle(document.body).backgroundColor"))
    assert shades == ["rgb(255, 255, 255)", "rgb(21, 24, 28)"]


def test_an_empty_run_is_shown(browser: Browser, tmp_path: Path) -> None:
    found = run(tmp_path / "run", limits=[{"metric": "params", "at_most": 1}], budget={"evaluations": 8})
    browser.open(write(found).as_uri())
    assert "the front is empty" in browser.ask("document.getElementById('picks').innerText")
    assert rows(browser) == []


def test_one_and_three_objectives_are_drawn(browser: Browser, tmp_path: Path) -> None:
    for names in (["error"], ["error", "params", "train_memory_mb"]):
        found = run(tmp_path / str(len(names)), objectives=[{"metric": name} for name in names])
        browser.open(write(found).as_uri())
        assert browser.ask("document.querySelectorAll('#overlay .dot').length") == len(found.front())
        browser.ask("document.getElementById('axis-x').value = 'macs'")
        browser.ask("document.getElementById('axis-x').dispatchEvent(new Event('change'))")
        assert "macs" in browser.ask("document.querySelector('#overlay .title').textContent")


def test_watching_shows_what_the_search_finds(browser: Browser, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    with pytest.raises(Stop):
        run(folder, stopping_after(12))
    with ReportServer(str(folder), 0) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        browser.open(server.url)
        evaluated = "document.getElementById('summary').children[1].textContent"
        assert browser.ask(evaluated).startswith("12 candidates")
        browser.click("#table tbody tr")
        opened = browser.ask(SHOWN)
        run(folder)
        browser.until(lambda: browser.ask(evaluated).startswith("40 candidates"))
        assert browser.ask("document.getElementById('state').textContent").startswith("finished")
        assert browser.ask(SHOWN) == opened, "what is open stays open"
        assert browser.complaints == []
        server.shutdown()
    browser.until(lambda: "has ended" in browser.ask("document.getElementById('state').textContent"))
    browser.complaints.clear()  # the browser itself says that nobody answers
