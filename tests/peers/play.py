import json, sys
from urllib.parse import urlsplit

from coincurve import PrivateKey
from websockets.sync.client import connect

url, script = sys.argv[1:]
address, key = urlsplit(url), PrivateKey()
pubkey = key.public_key.format().hex()

with connect(url) as socket:
    def call(method, **params):
        socket.send(json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}))
        answer = json.loads(socket.recv(timeout=60))
        return answer["result"] if "result" in answer else sys.exit(json.dumps(answer["error"]))

    challenge = call("fetch_nonce", pubkey=pubkey)["challenge"]
    fields = dict(line.split(":", 1) for line in challenge.split("\n")[1:])
    expected = {"audience": f"{address.scheme}://{address.netloc}", "pubkey": pubkey}
    expected["circle"] = address.path.strip("/") or fields["circle"]
    if not challenge.startswith("circles-auth-v1\n") or not expected.items() <= fields.items():
        sys.exit("the challenge is for another server, circle or key")
    call("authenticate", pubkey=pubkey, signature=key.sign_recoverable(challenge.encode())[:64].hex())
    print(call("play", script=script)["output"])
