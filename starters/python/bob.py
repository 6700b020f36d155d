"""Your Bob. Needs Python 3.11 or newer, and websockets: pip install websockets"""

import sys

ADDRESS = sys.argv[1] if len(sys.argv) > 1 else "ws://localhost:8080/ws?room=YOURS"

# Stage 1: connect to ADDRESS, and stay.
#     from websockets.sync.client import connect
#     with connect(ADDRESS) as socket:
#         socket.send('{"type": "hello_said", "data": {}}')
#         for message in socket:
#             print(message)

print(f"Write stage 1: connect to {ADDRESS}, and stay.")
