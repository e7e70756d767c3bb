"""``python -m reductions``."""

from reductions.cli import main

if __name__ == "__main__":
    main()
