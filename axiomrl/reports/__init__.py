"""Views of runs: records become a `Table`, and a renderer prints it."""
