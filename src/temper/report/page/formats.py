"""How figures are written on the page: three significant digits, a true minus, a dash where nothing was measured."""

from temper.report.formats import ABSENT, significant


def figure(value: float | None) -> str:
    """Three significant digits; from 100 on whole, with thousands separated."""
    if value is None:
        return ABSENT
    if value == 0:
        return "0"
    return minus(significant(value)).rstrip(".")


def minus(text: str) -> str:
    """A text with a true minus."""
    return text.replace("-", "−")


def signed(value: float) -> str:
    """Points with their sign: '−0.40', '+0.12'; '0.00' has none."""
    text = f"{value:+.2f}"
    return "0.00" if text in ("+0.00", "-0.00") else minus(text)


def spread(low: float, high: float, form: str = "figure") -> str:
    """An interval: '[3.41, 3.60]'; `form` 'signed' for points."""
    write = signed if form == "signed" else figure
    return f"[{write(low)}, {write(high)}]"


def times(value: float) -> str:
    """A speed-up: '2.04 ×'."""
    return f"{figure(value)} ×"


def percent(share: float | None) -> str:
    """A share of 0 to 1: '12.3 %'."""
    return ABSENT if share is None else f"{figure(100 * share)} %"


def count(value: int | None) -> str:
    """A number of things: '1,640'."""
    return ABSENT if value is None else f"{value:,}"


def mebibytes(value: float | None) -> str:
    """Memory or size: '35.6 MiB'."""
    return ABSENT if value is None else f"{figure(value)} MiB"
