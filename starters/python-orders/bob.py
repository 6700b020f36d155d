"""Your Bob, with the client of Orders: pip install http://SERVER/starters/orders.whl"""

import sys

ADDRESS = sys.argv[1] if len(sys.argv) > 1 else "ws://localhost:8080/ws?room=YOURS"

# Stage 1: connect to ADDRESS, and stay. The client comes back by itself.
#     import asyncio
#     from orders.clients.participant import Participant
#
#     async def main():
#         async with Participant(ADDRESS, name="bob") as bob:
#             await bob.publish("hello_said", {})
#             async for event in bob:
#                 print(event.source, event.type, event.data)
#
#     asyncio.run(main())

print(f"Write stage 1: connect to {ADDRESS}, and stay.")
