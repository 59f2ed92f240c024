"""The steps of a problem drawn as arrows between four lifelines, one small SVG for each.

They stand below each other without a gap, and so are one drawing that grows. Nothing has a style of
its own: the style sheet has the classes.
"""

from markupsafe import Markup

from supplier_api.sandbox.console.steps import Lane, Step

WIDTH, HEIGHT, HEAD = 720, 46, 34
X = {Lane.TENANT: 60, Lane.GATEWAY: 260, Lane.SUPPLIER: 460, Lane.BACK_OFFICE: 660}
THERE, BACK = 18, 38  # where the message goes, and where its answer
ABOVE = 5  # from a line to the text above it
HALF_BOX = 55
LONGEST = 28  # characters that there is room for between two lines
_SVG = Markup('<svg class="lanes" viewBox="0 0 {} {}" aria-hidden="true">{}</svg>')


def heads() -> Markup:
    """Return the names above the lifelines."""
    box = Markup('<rect x="{}" y="2" width="{}" height="24" rx="5"/><text x="{}" y="19">{}</text>')
    boxes = [box.format(x - HALF_BOX, 2 * HALF_BOX, x, lane.title) for lane, x in X.items()]
    return _SVG.format(WIDTH, HEAD, Markup().join([*_lives(26, HEAD), *boxes]))


def drawn(step: Step) -> Markup:
    """Return a step: its arrow, the answer's, and what the tenant did or sees."""
    waits = step.level in {"busy", "warn"} and step.sender is not Lane.GATEWAY
    parts = [
        *_lives(0, HEIGHT),
        _arrow(step.sender, step.receiver, THERE, step.what, "waits" if waits else "sent"),
        _arrow(step.receiver, step.sender, BACK, step.answer, f"answer {step.level}"),
    ]
    if step.tenant:
        ends = (Lane.TENANT, Lane.GATEWAY)
        sender, receiver = ends if step.sender is Lane.GATEWAY else ends[::-1]
        parts.append(_arrow(sender, receiver, THERE, step.tenant, "tenant"))
    return _SVG.format(WIDTH, HEIGHT, Markup().join(parts))


def _lives(begin: int, end: int) -> list[Markup]:
    life = Markup('<path class="life" d="M{} {}V{}"/>')
    return [life.format(x, begin, end) for x in X.values()]


def _arrow(sender: Lane, receiver: Lane, y: int, text: str, look: str) -> Markup:
    """Return an arrow with a text above it; `look` are its classes."""
    begin, end = X[sender], X[receiver]
    back = -8 if end > begin else 8
    line = Markup('<path d="M{} {}H{}"/>').format(begin, y, end + back)
    tip = Markup('<path class="tip" d="M{} {}l{} -4v8z"/>').format(end, y, back)
    shown = text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"
    words = Markup('<text x="{}" y="{}">{}</text>').format((begin + end) // 2, y - ABOVE, shown)
    return Markup('<g class="{}">{}</g>').format(look, line + tip + words)
