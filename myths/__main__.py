"""``python -m myths`` and the ``myths`` command."""

from myths.cli import main

if __name__ == "__main__":
    main()
