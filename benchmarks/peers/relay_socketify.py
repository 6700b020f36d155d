"""A relay with uWebSockets through `socketify`: its own publish–subscribe, one topic for all."""

from socketify import App, AppListenOptions, OpCode

TOPIC = "all"

app = App()
app.ws(
    "/*",
    {
        "open": lambda ws: ws.subscribe(TOPIC),
        "message": lambda _, text, _opcode: app.publish(TOPIC, text, OpCode.TEXT),
        "max_backpressure": 64 * 1024 * 1024,  # else events for slow readers are left out
    },
)
app.listen(
    AppListenOptions(port=0, host="127.0.0.1"),
    lambda config: print(f"http://localhost:{config.port}", flush=True),
)
app.run()
