"""The proposal's own tests, as it prints them; test_programs.py runs them with the plugin."""

collect_ignore_glob = ["*"]
