"""A caller as a user of the stock Python SDK writes it: `invoke_method`, then plain `requests` with the header form.

Prints what it saw as one JSON object a line. Environment: DAPR_HTTP_PORT, DAPR_GRPC_PORT, DAPR_RUNTIME_HOST.
"""

import json
import os

import requests
from dapr.clients import DaprClient
from dapr.clients.health import DaprHealth

BASE = f"http://127.0.0.1:{os.environ['DAPR_HTTP_PORT']}"


def say(step, value):
    print(json.dumps({"step": step, "value": value}), flush=True)


def outcome(call):
    """What a call gives, or how it fails."""
    try:
        return {"value": call()}
    except Exception as error:  # whatever the SDK raises is what is looked at
        return {"error": f"{type(error).__name__}: {error}"}


def sdk(client):
    def invoke(*arguments, **options):
        answer = client.invoke_method(*arguments, **options)
        return {"status": answer.status_code, "body": answer.text(), "type": answer.content_type}

    say("get", outcome(lambda: invoke("warehouse", "stock", http_verb="GET")))
    say("post", outcome(lambda: invoke(
        "warehouse", "orders/echo", json.dumps({"sku": "tea", "name": "Grüner Tee"}),
        content_type="application/json", http_verb="POST",
        http_querystring=(("a", "1"), ("a", "2 3")), metadata=(("x-own", "mine"),),
    )))
    say("bytes", outcome(lambda: invoke("warehouse", "orders/echo", bytes(range(256)), http_verb="PUT")))
    say("own error", outcome(lambda: invoke("warehouse", "broken", http_verb="GET")))
    say("nobody", outcome(lambda: invoke("nobody", "stock", http_verb="GET")))


def plain():
    def told(answer):
        return {"status": answer.status_code, "body": answer.text}

    named = {"dapr-app-id": "warehouse"}
    say("header get", outcome(lambda: told(requests.get(f"{BASE}/stock?x=%20y", headers=named))))
    say("header post", outcome(lambda: told(requests.post(f"{BASE}/orders/echo", json={"n": 1}, headers=named))))
    say("basic auth", outcome(lambda: told(requests.get(f"{BASE}/stock", auth=("dapr-app-id", "warehouse")))))
    say("streamed", outcome(lambda: told(requests.post(
        f"{BASE}/v1.0/invoke/warehouse/method/orders/echo", data=iter([b"one ", b"two ", b"three"])))))
    say("path nobody", outcome(lambda: told(requests.get(f"{BASE}/v1.0/invoke/nobody/method/stock"))))


def main():
    DaprHealth.wait_for_sidecar()
    say("healthy", True)
    with DaprClient() as client:
        sdk(client)
    plain()
    say("done", True)


main()
