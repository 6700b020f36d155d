"""How fast Orders is on this machine, and how much memory it takes. Each file is a command."""
