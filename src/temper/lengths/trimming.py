"""Calls without the columns that are padding in every row: what a package does itself, by its name here."""

from temper.package.runtime.trimming import trimmed as trimmed

PAD_TO_MULTIPLE_OF = 8  # tokens; no runtime has fast kernels for every odd length
