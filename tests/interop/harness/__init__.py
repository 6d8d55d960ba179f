"""What `tests/interop/run` is made of: clients, the server under test, verdicts and the matrix."""
