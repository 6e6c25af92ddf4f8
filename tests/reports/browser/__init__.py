"""Pages in a real browser: Debian's Chromium without a window. `make test-browser` runs them."""
