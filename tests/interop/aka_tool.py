"""`hss aka` against implementations of others: libosmocore's `osmo-auc-gen` for Milenage and AUTS,
and `aka.py`, which has the AES of pycryptodome, for AUTS, OPc and KASME.

    python3 aka_tool.py HSS [COUNT]

Random keys, challenges and sequence numbers, the same at every run; every figure is compared, and
each check is seen to fail on a changed octet.
"""
import json
import os
import random
import re
import subprocess
import sys
import tempfile

from Crypto.Cipher import AES

import aka


def osmo(*args):
    text = subprocess.run(
        ["osmo-auc-gen", "-3", "-a", "milenage", *args], check=True, capture_output=True, text=True
    ).stdout
    return dict(re.findall(r"^([A-Z .]+):\s+(\S+)$", text, re.M))


class Tool:
    def __init__(self, program, folder):
        self.program, self.folder = program, folder

    def run(self, keys, *args, code=0):
        """The answer as JSON; keys go by a file."""
        path = os.path.join(self.folder, "keys")
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            for name, value in keys.items():
                file.write(f"{name} = {value.hex()}\n")
        done = subprocess.run(
            [self.program, "aka", *args, "--key-file", path, "--json"], capture_output=True, text=True
        )
        assert done.returncode == code, (args, done.returncode, done.stderr)
        return json.loads(done.stdout)


def other(octets):
    return octets[:-1] + bytes([octets[-1] ^ 1])


def round_of(tool, rng):
    k, op, rand = rng.randbytes(16), rng.randbytes(16), rng.randbytes(16)
    sqn = rng.randrange(1 << 48).to_bytes(6, "big")
    amf = rng.choice([b"\x80\x00", rng.randbytes(2)])
    plmn = rng.choice(["00101", "44051", "310410", "901990"])
    opc = aka.xor(AES.new(k, AES.MODE_ECB).encrypt(op), op)
    assert tool.run({"k": k, "op": op}, "opc")["opc"] == opc.hex(), "OPc"
    keys = {"k": k, "opc": opc}
    mine = aka.Milenage(k, opc)

    # A vector: osmo-auc-gen and aka.py must say the same.
    made = tool.run(
        keys, "vector", "--amf", amf.hex(), "--sqn", sqn.hex(), "--rand", rand.hex(), "--plmn", plmn
    )
    theirs = osmo(
        "-k", k.hex(), "-o", opc.hex(), "-f", amf.hex(), "-r", rand.hex(),
        "-s", str(int.from_bytes(sqn, "big")),
    )
    assert int(theirs["SQN"]) == int.from_bytes(sqn, "big"), theirs
    for name, theirs_name in [("f2", "RES"), ("f3", "CK"), ("f4", "IK"), ("autn", "AUTN")]:
        assert made[name] == theirs[theirs_name], (name, made[name], theirs)
    mac_a, mac_s = mine.f1(rand, sqn, amf)
    autn = bytes.fromhex(made["autn"])
    assert autn == aka.xor(sqn, mine.f5(rand)) + amf + mac_a
    for name, value in [
        ("f1", mac_a), ("f1star", mac_s), ("f5", mine.f5(rand)), ("f5star", mine.f5star(rand)),
    ]:
        assert made[name] == value.hex(), name
    kasme = aka.kasme(mine.f3(rand), mine.f4(rand), aka.plmn_octets(plmn), autn[:6]).hex()
    assert made["kasme"] == kasme, "KASME"
    session = {"ck": mine.f3(rand), "ik": mine.f4(rand)}
    assert tool.run(session, "kasme", "--plmn", plmn, "--autn", autn.hex())["kasme"] == kasme

    # The USIM's side.
    seen = tool.run(keys, "check-autn", "--rand", rand.hex(), "--autn", theirs["AUTN"])
    assert seen["genuine"] is True and seen["sqn"] == sqn.hex() and seen["amf"] == amf.hex(), seen
    forged = tool.run(keys, "check-autn", "--rand", rand.hex(), "--autn", other(autn).hex(), code=1)
    assert forged["genuine"] is False

    # Resynchronisation: a token of ours is opened by osmo-auc-gen, one of aka.py's by us.
    seen_by_usim = rng.randrange(1 << 47).to_bytes(6, "big")
    token = tool.run(keys, "auts", "make", "--rand", rand.hex(), "--sqn", seen_by_usim.hex())["auts"]
    assert bytes.fromhex(token) == mine.auts(rand, seen_by_usim), "AUTS"
    opened = osmo("-k", k.hex(), "-o", opc.hex(), "-f", "8000", "-r", rand.hex(), "-A", token)
    found = [int(v) for name, v in opened.items() if name.strip() == "SQN.MS"]
    assert found == [int.from_bytes(seen_by_usim, "big")], opened
    checked = tool.run(keys, "auts", "check", "--rand", rand.hex(), "--auts", token)
    assert checked["genuine"] is True and checked["sqn"] == seen_by_usim.hex(), checked
    wrong = other(bytes.fromhex(token)).hex()
    forged = tool.run(keys, "auts", "check", "--rand", rand.hex(), "--auts", wrong, code=1)
    assert forged["genuine"] is False


def main():
    program, count = os.path.abspath(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 100
    aka.self_test()
    rng = random.Random(33102)
    with tempfile.TemporaryDirectory() as folder:
        tool = Tool(program, folder)
        for _ in range(count):
            round_of(tool, rng)
    print(f"hss aka agrees with osmo-auc-gen and aka.py on {count} random SIMs, and refuses what is forged")


if __name__ == "__main__":
    main()
