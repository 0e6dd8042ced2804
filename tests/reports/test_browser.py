"""The report in a real browser: nothing loaded, nothing run, everything seen, read and reached."""

import re
import shutil
from io import BytesIO

import pytest
from PIL import Image

from reports.render import render
from tests.report_folder import Wish, make_audit
from tests.reports.test_render import HOSTILE

sync_api = pytest.importorskip("playwright.sync_api", reason="the Python package playwright is not installed")
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no chromium on PATH")

FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
# Contrast of every visible piece of text with what is painted behind it, by the formula of WCAG 2.
CONTRAST = """() => {
  const rgba = (text) => { const [r, g, b, a = 1] = text.match(/[\\d.]+/g).map(Number); return [r, g, b, a]; };
  const over = (top, under) => [0, 1, 2].map((i) => top[i] * top[3] + under[i] * (1 - top[3])).concat(1);
  const behind = (element) => {
    const layers = [];
    for (let e = element; e; e = e.parentElement) layers.push(rgba(getComputedStyle(e).backgroundColor));
    return layers.reverse().reduce((under, top) => over(top, under), [255, 255, 255, 1]);
  };
  const light = (c) => c.slice(0, 3).map((v) => v / 255)
    .map((v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4))
    .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
  const worst = {};
  for (const e of document.querySelectorAll("body *")) {
    const own = [...e.childNodes].some((n) => n.nodeType === 3 && n.textContent.trim());
    if (!own || !e.checkVisibility() || e.closest("script, style, .skip")) continue;
    const style = getComputedStyle(e), ground = behind(e);
    const ink = over(rgba(e instanceof SVGElement ? style.fill : style.color), ground);
    const [a, b] = [light(ink), light(ground)].sort((x, y) => y - x);
    const key = `${e.tagName}.${e.getAttribute("class") ?? ""}`;
    worst[key] = Math.min(worst[key] ?? 99, (a + 0.05) / (b + 0.05));
  }
  return worst;
}"""
BROKEN = """async () => {
  const sources = [...document.querySelectorAll("image, img")].map((e) => e.getAttribute("href") ?? e.src);
  const sizes = await Promise.all([...new Set(sources)].map((src) => new Promise((done) => {
    const image = new Image();
    image.onload = () => done(image.naturalWidth);
    image.onerror = () => done(0);
    image.src = src;
  })));
  return [sizes.length, sizes.filter((size) => size === 0).length];
}"""


@pytest.fixture(scope="module")
def browser():
    with sync_api.sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=CHROMIUM, args=list(FLAGS))
        yield opened
        opened.close()


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    return render(make_audit(tmp_path_factory.mktemp("plain"), Wish(texture=10)))


@pytest.fixture(scope="module")
def hostile(tmp_path_factory):
    return render(make_audit(tmp_path_factory.mktemp("hostile"), HOSTILE))


@pytest.fixture
def visit(browser):
    contexts = []

    def go(path, width=1280, height=800, scheme="light"):
        context = browser.new_context(viewport={"width": width, "height": height}, color_scheme=scheme)
        contexts.append(context)
        page = context.new_page()
        page.problems, page.requests = [], []
        page.on("console", lambda message: page.problems.append(message.text))
        page.on("pageerror", lambda error: page.problems.append(str(error)))
        page.on("request", lambda request: page.requests.append(request.url))
        page.goto(path.as_uri())
        return page

    yield go
    for context in contexts:
        context.close()


@pytest.mark.parametrize("which", ["plain", "hostile"])
def test_loads_nothing_and_complains_of_nothing(visit, request, which):
    page = visit(request.getfixturevalue(which))
    page.wait_for_timeout(200)
    assert page.problems == []
    assert [url for url in page.requests if not url.startswith(("file:", "data:"))] == []
    assert len([url for url in page.requests if url.startswith("file:")]) == 1


def test_no_hostile_name_runs_as_script(visit, hostile):
    page = visit(hostile)
    page.evaluate("document.querySelectorAll('details').forEach((d) => { d.open = true; })")
    assert page.evaluate("window.hacked") is None
    assert page.get_by_text('<img src=x onerror="window.hacked=1">').count() > 5
    assert page.locator("img:not([src^='data:'])").count() == 0
    assert "49" not in page.locator("#F1-title").inner_text()


@pytest.mark.parametrize("which", ["plain", "hostile"])
@pytest.mark.parametrize("width", [360, 1280])
def test_page_never_scrolls_sideways(visit, request, which, width):
    page = visit(request.getfixturevalue(which), width, 800)
    page.evaluate("document.querySelectorAll('details').forEach((d) => { d.open = true; })")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    outside = """(width) => [...document.querySelectorAll("body *")]
      .filter((e) => e.checkVisibility() && !e.closest(".wide, pre, .skip, .unseen, .store, thead, svg"))
      .filter((e) => e.getBoundingClientRect().right > width + 1).map((e) => e.outerHTML.slice(0, 200))"""
    assert page.evaluate(outside, width) == []


def test_every_picture_loads_and_is_painted(visit, plain):
    page = visit(plain)
    total, broken = page.evaluate(BROKEN)
    assert total > 40
    assert broken == 0
    # A photograph has many more colours than whatever stands where it was not painted: paper, a frame, text.
    assert colours(page.locator("#F1 svg.photo").first) > 5 * colours(page.locator(".questions").first)


def colours(element) -> int:
    """The number of different colours in what is seen of an element."""
    picture = Image.open(BytesIO(element.screenshot())).convert("RGB")
    return len(picture.getcolors(picture.width * picture.height))


def test_every_picture_has_a_name(visit, plain):
    page = visit(plain)
    nameless = """[...document.querySelectorAll("svg:not([aria-hidden=true]), img, [role=img]")].filter((e) =>
      e.tagName === "IMG" ? !e.hasAttribute("alt") : !e.getAttribute("aria-label")).length"""
    assert page.evaluate(nameless) == 0
    assert page.get_by_role("img", name=re.compile("Photograph labelled nurse that shows the hair")).count() > 0


def test_landmarks_and_headings(visit, plain):
    page = visit(plain)
    for role in ("banner", "main", "navigation", "contentinfo"):
        assert page.get_by_role(role).count() == 1
    assert page.locator("html").get_attribute("lang") == "en"
    assert page.get_by_role("heading", level=1).inner_text() == "doctor-nurse"
    assert page.get_by_role("table").count() > 10


@pytest.mark.parametrize(("width", "height"), [(1280, 800), (390, 844)])
def test_verdict_is_in_the_first_view(visit, plain, width, height):
    page = visit(plain, width, height)
    for element in (page.locator("#verdict-title"), page.locator(".found li").first):
        box = element.bounding_box()
        assert box["y"] + box["height"] < height


def test_before_and_after_are_drawn_one_below_the_other(visit, plain):
    page = visit(plain)
    help_section = page.get_by_role("region", name="Did it help?")
    assert help_section.get_by_role("table").count() == 3
    sight = help_section.locator("figure.sight").first
    photo, before, after = (picture.bounding_box() for picture in sight.locator(".photo").all())
    assert photo["y"] < before["y"] < after["y"] and photo["x"] == before["x"] == after["x"]
    assert sight.locator(".photo").nth(1).screenshot() != sight.locator(".photo").nth(2).screenshot()
    page.get_by_role("link", name="Did it help?").click()
    assert page.evaluate("location.hash") == "#help"


def test_keyboard_reaches_and_opens_the_closed_findings(visit, plain):
    page = visit(plain)
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    assert page.locator(".skip").bounding_box()["x"] >= 0
    for _ in range(200):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.matches('details.card > summary')"):
            break
    outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
    assert outline == "solid"
    assert not page.evaluate("document.activeElement.parentElement.open")
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.parentElement.open")


def test_a_link_to_a_closed_finding_opens_it(visit, plain):
    page = visit(plain)
    identifier = page.locator("details.card").first.get_attribute("id")
    page.evaluate("(id) => { location.hash = id; }", identifier)
    page.wait_for_function("(id) => document.getElementById(id).open", arg=identifier)
    assert page.locator("details.card[open]").first.get_attribute("id") == identifier


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_stands_out_in_both_themes(visit, plain, scheme):
    page = visit(plain, scheme=scheme)
    page.evaluate("document.querySelectorAll('details').forEach((d) => { d.open = true; })")
    faint = {where: ratio for where, ratio in page.evaluate(CONTRAST).items() if ratio < 4.5}
    assert faint == {}


def test_themes_differ(visit, plain):
    ground = "getComputedStyle(document.body).backgroundColor"
    assert visit(plain, scheme="light").evaluate(ground) != visit(plain, scheme="dark").evaluate(ground)


def test_prints_with_everything_opened(visit, plain, tmp_path):
    page = visit(plain)
    pages = len(re.findall(rb"/Type /Page\b", page.pdf(format="A4")))
    assert 8 < pages < 40
    page.emulate_media(media="print")
    assert page.locator("details.card .sentence").first.is_visible()
    assert not page.locator("nav").is_visible()


def test_works_without_script(browser, plain):
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(plain.as_uri())
    assert page.locator("#verdict-title").inner_text().endswith("shortcuts that this model would learn")
    page.locator("details.card > summary").first.click()
    assert page.locator("details.card .sentence").first.is_visible()
    context.close()
