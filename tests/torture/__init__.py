"""Load, `kill -9`, and a ledger: whether anything that was accepted is lost, or answered twice.

ledger.py    what was sent, accepted, handed over, stored and heard, and what that proves
load.py      customers, publishers and a listener that come back whatever happens
gate.py      stands between bots and server, sees every message pass, and strikes at a chosen one
kills.py     the bots, the victims, and the run as a whole
nodes.py     `make torture-nats`: nodes and NATS servers that are killed, frozen and come back
__main__.py  `make torture`: for as long as you like, with progress and a summary
"""
