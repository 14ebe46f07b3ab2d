"""One page about a data set, with sample images of every class: data.html."""

import base64
import io
from html import escape

from PIL import Image

from frostline.data.checks.findings import Checkup
from frostline.data.sample_table import SampleTable

SAMPLES = 6
SIDE_PX = 96
MAX_CLASSES = 120

_STYLE = """
body{font:15px/1.5 system-ui,sans-serif;max-width:72rem;margin:2rem auto;padding:0 1rem;color:#222}
table{border-collapse:collapse}td,th{padding:.25rem .75rem;text-align:left;vertical-align:middle}
tr+tr td{border-top:1px solid #ddd}td.n{text-align:right;font-variant-numeric:tabular-nums}
.error,.leak{border-left:6px solid #c00;background:#fee}.warning{border-left:6px solid #e90}
.note{border-left:6px solid #bbb}.error,.leak,.warning,.note{padding:.4rem .8rem;margin:.6rem 0}
img{display:inline-block;margin:1px;vertical-align:middle}
.bar{background:#4a7;height:.8rem;display:inline-block}
p{overflow-wrap:anywhere}
"""


def data_page(checkup: Checkup) -> str:
    """The page as one HTML text without outside parts."""
    table = checkup.table
    findings = "".join(
        f'<div class="{finding.level}"><b>{escape(finding.level)}: {escape(finding.title)}</b>'
        f"<p>{escape(finding.text)}</p></div>"
        for finding in checkup.findings
    )
    probes = "".join(
        f"<tr><td>{escape(probe.evidence)}</td><td class=n>{probe.acc_macro:.1%}</td>"
        f"<td class=n>&plusmn; {probe.margin:.1%}</td><td class=n>{probe.chance:.1%}</td></tr>"
        for probe in checkup.probes
    )
    groups = table.profile()["groups"]
    return f"""<!doctype html>
<html lang="en"><meta charset="utf-8"><title>{escape(table.name)}</title>
<style>{_STYLE}</style>
<h1>{escape(table.name)}</h1>
<p>{len(table)} images, {len(table.classes)} classes, {groups} groups. {escape(table.source)}<br>
fingerprint {table.fingerprint[:16]}</p>
<h2>Findings</h2>{findings or "<p>Nothing found.</p>"}
<h2>Classes</h2><table>{_class_rows(table)}</table>
<h2>Does something beside the subject give the class away?</h2>
<table><tr><th>evidence</th><th>macro accuracy</th><th></th><th>guessing</th></tr>{probes}</table>
</html>
"""


def _class_rows(table: SampleTable) -> str:
    counts = table.counts()
    largest = max(counts.values())
    by_class: dict[int, list[str]] = {}
    for item, label in zip(table.items, table.labels.tolist(), strict=True):
        by_class.setdefault(label, []).append(item)
    rows = []
    for label, (name, count) in list(enumerate(counts.items()))[:MAX_CLASSES]:
        items = by_class[label]
        shown = items[:: max(1, len(items) // SAMPLES)][:SAMPLES]
        images = "".join(thumbnail_tag(table, item) for item in shown)
        bar = f'<span class=bar style="width:{8 * count / largest:.2f}rem"></span>'
        cells = f"<td>{escape(name)}</td><td class=n>{count}</td><td>{bar}</td><td>{images}</td>"
        rows.append(f"<tr>{cells}</tr>")
    return "".join(rows)


def thumbnail_tag(table: SampleTable, item: str) -> str:
    """A small picture inside of the page itself."""
    image = table.open_image(item)
    image.thumbnail((SIDE_PX, SIDE_PX), Image.Resampling.BILINEAR)
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=80)
    data = base64.b64encode(buffer.getvalue()).decode()
    return f'<img src="data:image/jpeg;base64,{data}" title="{escape(item)}" alt="">'
