"""A worker in Python's standard library. It needs claim, renew and release, and nothing else.

    SUPABASE_URL=… SUPABASE_SECRET_KEY=sb_secret_… python3 worker.py

Ctrl-C or SIGTERM: it finishes the task it is at, hands back the rest, and leaves.
"""

import json
import os
import random
import signal
import socket
import threading
import time
import urllib.error
import urllib.request
import uuid

LEASE_SECONDS = 60
BATCH = 10
POLL_SECONDS = 2
WORKER_ID = f"{socket.gethostname()}-{os.getpid()}-{uuid.uuid4().hex[:8]}"

stopping = threading.Event()


def shout(payload, lease):
    """A handler: payload in, result out; raising fails the attempt. lease.lost says when to give up."""
    return {"text": payload["text"].upper()}


HANDLERS = {"shout": shout}


def main():
    for name in (signal.SIGTERM, signal.SIGINT):
        signal.signal(name, lambda *_: stopping.set())
    while not stopping.is_set():
        asked = time.monotonic()
        grant = call("claim", {
            "worker_id": WORKER_ID,
            "types": list(HANDLERS),
            "limit": BATCH,
            "lease_seconds": LEASE_SECONDS,
            "request_id": str(uuid.uuid4()),
        })
        if grant["fence"]:
            work(grant, Lease(grant, asked))
        else:
            stopping.wait(POLL_SECONDS)


def work(grant, lease):
    """Runs the tasks of one grant and reports each as soon as it is done."""
    lease.start()
    waiting = grant["tasks"]
    while waiting and not stopping.is_set() and not lease.lost.is_set():
        task = waiting.pop(0)
        if task["id"] in lease.held:
            report(grant["fence"], run(task, lease))
    lease.done.set()
    if waiting:
        # Handed back, what was not started burns no attempt.
        settle(grant["fence"], rest="released")


def run(task, lease):
    try:
        result = HANDLERS[task["type"]](task["payload"], lease)
        json.dumps(result, allow_nan=False)
        return {"id": task["id"], "status": "succeeded", "result": result}
    except Exception as error:
        return {"id": task["id"], "status": "failed", "error": printable(error)}


class Lease(threading.Thread):
    """Keeps a lease alive while its tasks run, and notices when it is lost."""

    def __init__(self, grant, asked):
        super().__init__(daemon=True)
        self.fence = grant["fence"]
        self.held = {task["id"] for task in grant["tasks"]}
        self.lost = threading.Event()
        self.done = threading.Event()
        # From before the claim was sent, on a clock nobody can set: never later than the server's end.
        self.ends = asked + grant["lease_ms"] / 1000

    def run(self):
        while not self.done.wait(LEASE_SECONDS / 3):
            asked = time.monotonic()
            try:
                renewed = call("renew", {"fence": self.fence, "lease_seconds": LEASE_SECONDS},
                               patience=max(0, self.ends - asked))
                self.held = set(renewed["held"])
                self.ends = asked + renewed["lease_ms"] / 1000
            except (Refused, OSError):
                self.lost.set()
                return


def report(fence, outcome):
    try:
        settle(fence, outcomes=[outcome])
    except Refused as refused:
        # Too large, or not to be stored: that no retry will mend.
        settle(fence, outcomes=[{
            "id": outcome["id"], "status": "failed", "permanent": True, "error": str(refused)
        }])


def settle(fence, **report):
    """Reports outcomes. 409: the lease is lost, somebody else has the tasks or will."""
    try:
        call("release", {"fence": fence, "request_id": str(uuid.uuid4()), **report})
    except Refused as refused:
        if refused.status != 409:
            raise


class Refused(Exception):
    def __init__(self, status, body):
        super().__init__(f"{status} {body}")
        self.status = status


def call(endpoint, body, patience=LEASE_SECONDS):
    """Posts to an endpoint. The request id in the body makes a repeat safe, so it may try again."""
    request = urllib.request.Request(
        f"{os.environ['SUPABASE_URL']}/functions/v1/{endpoint}",
        data=json.dumps(body).encode(),
        headers={"content-type": "application/json", "apikey": os.environ["SUPABASE_SECRET_KEY"]},
    )
    give_up = time.monotonic() + patience
    pause = 0.25
    while True:
        try:
            with urllib.request.urlopen(request, timeout=15) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as error:
            refusal = Refused(error.code, error.read().decode())
            if error.code < 429 or time.monotonic() > give_up:
                raise refusal from None
        except OSError:
            if time.monotonic() > give_up:
                raise
        time.sleep(pause * random.uniform(0.5, 1))
        pause = min(pause * 2, 5)


def printable(error):
    """An error as text that can be stored: no NUL, no half characters."""
    text = f"{type(error).__name__}: {error}".replace("\0", "")
    return text.encode(errors="replace").decode()


if __name__ == "__main__":
    main()
