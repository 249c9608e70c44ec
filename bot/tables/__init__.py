"""The database's rows, a file for each kind: frozen dataclasses, and the queries that read and change them."""
