"""Records what a real API server answers to the scenarios: python record_answers.py --kubeconfig FILE > answers.json

The server must be fresh and run without kube-controller-manager. Answers are normalised as the test does it.
"""

from __future__ import annotations

import argparse
import base64
import http.client
import json
import ssl
import sys
import tempfile
import time
from pathlib import Path
from urllib.parse import urlsplit

import yaml

sys.path.insert(0, str(Path(__file__).parent))
import normalised
import scenarios


def connection(kubeconfig: str) -> http.client.HTTPSConnection:
    config = yaml.safe_load(Path(kubeconfig).read_text(encoding="utf-8"))
    cluster, user = config["clusters"][0]["cluster"], config["users"][0]["user"]

    def file(data: str) -> str:
        with tempfile.NamedTemporaryFile(delete=False) as made:
            made.write(base64.b64decode(data))
        return made.name

    context = ssl.create_default_context(cafile=file(cluster["certificate-authority-data"]))
    context.load_cert_chain(file(user["client-certificate-data"]), file(user["client-key-data"]))
    return http.client.HTTPSConnection(urlsplit(cluster["server"]).netloc, context=context)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kubeconfig", required=True)
    server = connection(parser.parse_args().kubeconfig)
    recorded = {}
    for name, asks in scenarios.every():
        answers = []
        for ask in asks:
            server.request(
                ask.method, ask.path, ask.bytes(), {"Content-Type": ask.content_type, "User-Agent": "recorder"}
            )
            response = server.getresponse()
            warnings = response.headers.get_all("Warning") or []
            answers.append(normalised.answer(response.status, response.read(), warnings))
            if "customresourcedefinitions" in ask.path:
                time.sleep(3)
        recorded[name] = answers
    json.dump(recorded, sys.stdout, indent=1, sort_keys=True)


if __name__ == "__main__":
    main()
