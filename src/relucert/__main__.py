"""``python -m relucert``."""

from relucert.cli import main

if __name__ == "__main__":
    main()
