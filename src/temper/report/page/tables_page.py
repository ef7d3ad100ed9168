"""A page of one picture and some tables: a comparison, another version of a library, a search for layers."""

from collections.abc import Sequence

from markupsafe import Markup

from temper.report.page.render import page

Lines = Sequence[Sequence[object]]
NamedTable = tuple[str, Sequence[str], Lines, int]  # name, header, cells, and how many columns from the left hold words


def tables_page(
    title: str,
    *,
    said: str,
    picture: Markup,
    tables: Sequence[NamedTable],
    notes: Sequence[str],
    nothing: str,
    series: Sequence[tuple[str, str]] = (),
    lead: str = "",
) -> str:
    """The page, which opens without a network; tables without lines are left out.

    Args:
        title: its heading.
        said: what the picture shows, a sentence without its full stop.
        picture: as SVG; '' where there is none.
        tables: below the picture.
        notes: between them, a paragraph each.
        nothing: what stands in the place of a picture that is not there.
        series: names of the picture's colours with the style sheet's class of each.
        lead: what it comes to, below the heading.
    """
    return page(
        "tables.html.j2",
        title,
        heading=title,
        lead=lead,
        said=said,
        picture=picture,
        nothing=nothing,
        series=series,
        tables=[table for table in tables if table[2]],
        notes=notes,
    )
