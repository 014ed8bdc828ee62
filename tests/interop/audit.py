"""Verifies an audit log by itself: SHA-256 over each line before its hash, each line linked to the one before."""
import hashlib
import json
import sys


def verify(lines):
    prev = "0" * 64
    for number, line in enumerate(lines):
        octets, rest = line.rsplit(b',"hash":"', 1)
        record = json.loads(line)
        assert rest == record["hash"].encode() + b'"}', number
        assert hashlib.sha256(octets).hexdigest() == record["hash"], f"record {number} was changed"
        assert record["prev"] == prev and record["seq"] == number, f"record {number} does not follow"
        prev = record["hash"]
    return f"{len(lines) - 1}:{prev}"


if __name__ == "__main__":
    with open(sys.argv[1], "rb") as log:
        head = verify(log.read().splitlines())
    print(f"  another reader finds the audit log whole, head {head}")
    for secret in sys.argv[2:]:
        with open(sys.argv[1], "rb") as log:
            assert secret.encode() not in log.read().lower(), "a key is in it"
