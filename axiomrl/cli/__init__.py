"""The `axiomrl` command: one small file per subcommand, none of which decides anything."""
