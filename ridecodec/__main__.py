"""The command line as `python -m ridecodec`."""

from __future__ import annotations

from ridecodec.cli import main

if __name__ == "__main__":
    main()
