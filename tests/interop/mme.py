"""An MME by python-diameter: asks an HSS everything that it answers on S6a, and judges the answers.

Run by `tests/interop/run`. Exits with 0 when every answer was right.
"""
import argparse
import json
import logging
import subprocess
import sys
import threading
import time

from diameter.message import constants as c
from diameter.message.avp.grouped import (
    ExperimentalResult,
    RequestedEutranAuthenticationInfo,
    VendorSpecificApplicationId,
)
from diameter.message.commands import (
    AuthenticationInformationRequest,
    CancelLocationRequest,
    NotifyRequest,
    PurgeUeRequest,
    UpdateLocationRequest,
)
from diameter.node import Node
from diameter.node.application import ThreadingApplication

import aka

S6A = 16777251
REALM = "epc.mnc001.mcc001.3gppnetwork.org"
HOST = f"mme.{REALM}"
PLMN = "00101"
SIMS = {
    "001010000000001": ("465b5ce8b199b49faa5f0a2ee238a6bc", "cd63cb71954a9f4e48a5994e37a02baf"),
    "001010000000002": ("0396eb317b6d1c36f19c1c84cd6ffd16", "53c15671c60a4b731c55b4a441c0bde2"),
}


class Mme(ThreadingApplication):
    """Sends what it is told, and keeps the cancellations that arrive."""

    def __init__(self):
        super().__init__(S6A, is_auth_application=True)
        self.cancellations = []
        self.arrived = threading.Event()

    def handle_request(self, message):
        answer = self.generate_answer(message, result_code=2001)
        if isinstance(message, CancelLocationRequest):
            answer.auth_session_state = 1
            answer.vendor_specific_application_id = vendor_application()
            # The library puts its own application there, which a vendor's one does not have.
            answer.auth_application_id = None
            self.cancellations.append(message)
            self.arrived.set()
        return answer


def vendor_application():
    return VendorSpecificApplicationId(vendor_id=10415, auth_application_id=S6A)


def fill(node, request, imsi):
    request.session_id = node.session_generator.next_id()
    request.vendor_specific_application_id = vendor_application()
    request.auth_session_state = 1
    request.origin_host = HOST.encode()
    request.origin_realm = REALM.encode()
    request.destination_realm = REALM.encode()
    request.user_name = imsi
    return request


def result(answer):
    if answer.result_code is not None:
        return answer.result_code
    experimental = answer.experimental_result
    assert isinstance(experimental, ExperimentalResult) and experimental.vendor_id == 10415
    return ("3gpp", experimental.experimental_result_code)


def found_in(value, name):
    """Whether a JSON value has a member of this name somewhere, and something in it."""
    if isinstance(value, list):
        return any(found_in(v, name) for v in value)
    if isinstance(value, dict):
        return value.get(name) is not None or any(found_in(v, name) for v in value.values())
    return False


class Drill:
    def __init__(self, args, node, app):
        self.args, self.node, self.app = args, node, app
        self.seen = []

    def step(self, name, fine=True):
        assert fine, name
        self.seen.append(name)
        print(f"  {name}", flush=True)

    def ask(self, request):
        return self.app.send_request(request, timeout=10)

    def air(self, imsi, vectors=1, resync=None, visited=PLMN):
        request = fill(self.node, AuthenticationInformationRequest(), imsi)
        request.visited_plmn_id = aka.plmn_octets(visited)
        request.requested_eutran_authentication_info = RequestedEutranAuthenticationInfo(
            number_of_requested_vectors=vectors,
            immediate_response_preferred=1,
            re_synchronization_info=resync,
        )
        return self.ask(request)

    def vectors(self, imsi, **how):
        answer = self.air(imsi, **how)
        assert result(answer) == 2001, result(answer)
        sn_id = aka.plmn_octets(PLMN)
        found = answer.authentication_info.e_utran_vector
        return found, [aka.check_vector(self.usim(imsi), sn_id, v) for v in found]

    def usim(self, imsi):
        return aka.Milenage(*(bytes.fromhex(key) for key in SIMS[imsi]))

    def ulr(self, imsi):
        request = fill(self.node, UpdateLocationRequest(), imsi)
        request.rat_type = 1004
        request.ulr_flags = 0x22
        request.visited_plmn_id = aka.plmn_octets(PLMN)
        return self.ask(request)

    def http(self, path, body=None):
        command = [*self.args.reach.split(), "curl", "-sS", "--max-time", "30",
                   "-H", f"Authorization: Bearer {self.args.token}", f"http://{self.args.admin}{path}"]
        if body is not None:
            command += ["--json", json.dumps(body)]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        return json.loads(done.stdout)

    def run(self):
        one, two = SIMS
        _, sqns = self.vectors(one, vectors=3)
        self.step("AIR: three vectors, each right by another Milenage",
                  len(sqns) == 3 and sqns == sorted(set(sqns)))
        found, (before,) = self.vectors(one)
        self.step("AIR: the next SQN is higher", before > max(sqns))

        seen = (before + (1 << 16)).to_bytes(6, "big")
        auts = self.usim(one).auts(found[0].rand, seen)
        _, (after,) = self.vectors(one, resync=found[0].rand + auts)
        self.step("AIR with AUTS: the HSS went to where the USIM is",
                  after > int.from_bytes(seen, "big"))
        forged = auts[:-1] + bytes([auts[-1] ^ 1])
        self.air(one, resync=found[0].rand + forged)
        _, (later,) = self.vectors(one)
        self.step("AIR with a forged AUTS moves nothing", after < later < after + (1 << 12))

        self.step("AIR of an unknown SIM: 5001", result(self.air("001019999999999")) == ("3gpp", 5001))
        self.step("AIR for a network that is not listed: 5003",
                  result(self.air(one, visited="99999")) == 5003)

        answer = self.ulr(one)
        self.step("ULR: 2001 with Subscription-Data",
                  result(answer) == 2001 and answer.subscription_data is not None)
        apns = answer.subscription_data.apn_configuration_profile.apn_configuration
        self.step("ULA names the access point", [a.service_selection for a in apns] == ["red.corp"])

        if self.args.notify:
            request = fill(self.node, NotifyRequest(), one)
            request.nor_flags = 0
            self.step("NOR: 2001", result(self.ask(request)) == 2001)

        path = f"/v1/subscribers/{one}"
        order = {"reason": "lost on a train", "actor": "interoperability"}
        certificate = self.http(f"{path}/suspend", order)
        self.step("suspend: CLR arrives", self.app.arrived.wait(10))
        clr = self.app.cancellations[0]
        self.step("CLR: type 2, re-attach bit clear",
                  clr.user_name == one and clr.cancellation_type == 2
                  and not (clr.clr_flags or 0) & 2)
        cut = certificate["cut"]
        for _ in range(50):
            certificate = self.http(f"/v1/cuts/{cut}")
            if found_in(certificate, "t3"):
                break
            time.sleep(0.1)
        self.step("the certificate has t3: CLA was understood", found_in(certificate, "t3"))
        self.step("ULR of the suspended SIM: 5001", result(self.ulr(one)) == ("3gpp", 5001))
        self.http(f"{path}/resume", {"reason": "found", "actor": "interoperability"})
        self.step("ULR after resume: 2001", result(self.ulr(one)) == 2001)

        request = fill(self.node, PurgeUeRequest(), one)
        self.step("PUR: 2001", result(self.ask(request)) == 2001)
        answer = self.ulr(two)
        self.step("ULR of another SIM: 2001", result(answer) == 2001)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--peer", required=True, help="Origin-Host of the next hop")
    parser.add_argument("--address", required=True)
    parser.add_argument("--port", type=int, default=3868)
    parser.add_argument("--own", required=True, help="the MME's own address")
    parser.add_argument("--admin", required=True)
    parser.add_argument("--token", required=True)
    parser.add_argument("--reach", default="", help="what to put before curl to reach the HSS")
    parser.add_argument("--notify", action="store_true", help="also send a NOR")
    parser.add_argument("--refused", action="store_true",
                        help="the HSS shall not take this MME from this next hop")
    args = parser.parse_args()
    logging.basicConfig(level=logging.CRITICAL)
    aka.self_test()

    node = Node(HOST, REALM, ip_addresses=[args.own], tcp_port=0, vendor_ids=[10415])
    node.ip_addresses = [args.own]
    peer = node.add_peer(f"aaa://{args.peer}:{args.port};transport=tcp", REALM,
                         ip_addresses=[args.address], is_persistent=True, is_default=True)
    app = Mme()
    node.add_application(app, [peer])
    node.start()
    try:
        app.wait_for_ready(15)
        drill = Drill(args, node, app)
        drill.step("CER: 2001")
        if args.refused:
            imsi = next(iter(SIMS))
            drill.step("AIR: 5003, the relay may not carry it", result(drill.air(imsi)) == 5003)
        else:
            drill.run()
        print(f"{len(drill.seen)} steps passed")
    finally:
        node.stop(wait_timeout=3, force=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
