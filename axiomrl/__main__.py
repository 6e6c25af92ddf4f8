"""`python -m axiomrl` is the `axiomrl` command."""

import sys

from axiomrl.cli.app import main

if __name__ == "__main__":
    sys.exit(main())
