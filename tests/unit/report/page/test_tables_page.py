"""A page of one picture and some tables."""

from markupsafe import Markup

from temper.report.page.tables_page import tables_page

HOSTILE = "<img src=x onerror=alert(1)>"


def made(picture: str = "", lines=(("a", "1"),)):
    return tables_page(
        HOSTILE,
        said="how it is",
        picture=Markup(picture),
        tables=[("Full", ("name", HOSTILE), lines, 1), ("Empty", ("name",), [], 1)],
        notes=[HOSTILE],
        nothing="There is none.",
        series=[(HOSTILE, "s0")],
    )


def test_names_stay_text_and_a_table_without_lines_is_left_out():
    page = made("<svg></svg>", [(HOSTILE, "1")])
    assert HOSTILE not in page
    assert "<svg></svg>" in page
    assert "How it is." in page
    assert "<h2>Full</h2>" in page
    assert "Empty" not in page


def test_where_there_is_no_picture_a_sentence_stands():
    assert "There is none." in made()
    assert "How it is." not in made()
