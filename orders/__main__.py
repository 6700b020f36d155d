"""`python -m orders` is `orders`."""

import signal


def main() -> None:
    """Run the command line. Until a command listens for Ctrl-C, it ends us without a traceback."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    from orders.cli import main as command

    command()


if __name__ == "__main__":
    main()
