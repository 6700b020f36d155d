"""What a class does with a room. `app.py` alone knows it; without this folder the rest works."""
