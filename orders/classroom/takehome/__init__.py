"""A lesson to take home: one file that replays it, without a server and without names."""
