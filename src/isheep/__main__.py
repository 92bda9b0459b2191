"""`python -m isheep` is `isheep`."""

from isheep.cli import main

main()
