"""`python -m orders` is `orders`."""

from orders.cli import main

if __name__ == "__main__":
    main()
