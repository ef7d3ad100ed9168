"""A study's params.yaml: read, resolved with the defaults, checked against the schema and against itself."""
