"""For the tests of other projects: `assert_parity`, and a pytest plugin that imports nothing unless it is asked to."""
