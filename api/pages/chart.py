"""A chart that matplotlib drew in, the same for inside a page out: no style that a strict policy blocks, colours to override.

matplotlib writes `style="fill: #fff"`. As attributes of their own the same values pass any policy, and a style sheet outranks
them, so that a dark page can recolour the chart.
"""

from lxml import etree
from markupsafe import Markup

_SVG = "{http://www.w3.org/2000/svg}"
_LEFT_OUT = (f"{_SVG}metadata", f"{_SVG}style")


def inline(svg: bytes, label: str) -> Markup:
    """The `<svg>` element. label: what a reader who does not see it is told."""
    root = etree.fromstring(svg, etree.XMLParser(resolve_entities=False, no_network=True))
    etree.strip_elements(root, *_LEFT_OUT, with_tail=False)
    for element in root.iter(etree.Element):
        for pair in filter(None, str(element.attrib.pop("style", "")).split(";")):
            name, _, value = pair.partition(":")
            element.set(name.strip(), value.strip())
    for size in ("width", "height"):
        root.attrib.pop(size)  # the page says how wide it is
    root.attrib.update({"role": "img", "aria-label": label})
    return Markup(etree.tostring(root, encoding="unicode"))  # escaped by lxml
