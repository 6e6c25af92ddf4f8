"""Writing and reading run directories: plain files that anyone can read."""
