"""An SGW by scapy: sets sessions and bearers of a gateway up, changes and ends them, and judges what
it says.

Run by `tests/interop/sgw`. Exits with 0 when every answer was right.
"""
import argparse
import ipaddress
import json
import socket
import struct
import threading
import time
import urllib.error
import urllib.request

from scapy.contrib.gtp_v2 import (
    GTPHeader,
    GTPV2BearerResourceCommand,
    GTPV2CreateBearerResponse,
    GTPV2CreateSessionRequest,
    GTPV2DeleteBearerCommand,
    GTPV2DeleteBearerResponse,
    GTPV2DeleteSessionRequest,
    GTPV2EchoRequest,
    GTPV2ModifyBearerCommand,
    GTPV2ModifyBearerRequest,
    GTPV2UpdateBearerResponse,
    IE_AMBR,
    IE_APN,
    IE_APN_Restriction,
    IE_Bearer_QoS,
    IE_BearerContext,
    IE_Cause,
    IE_EPSBearerID,
    IE_FTEID,
    IE_IMSI,
    IE_NotImplementedTLV,
    IE_PAA,
    IE_PDN_type,
    IE_RAT,
    IE_RecoveryRestart,
    IE_SelectionMode,
    IE_ServingNetwork,
    IE_UE_Timezone,
)

ACCEPTED = 16
SGW_C, SGW_U, PGW_U, PGW_C = 6, 4, 5, 7
V4, V6, V4V6 = 1, 2, 3
COMMANDS = {64: 65, 66: 67, 68: 69}


def elements(octets):
    """Type, instance and value of each information element, by our own reading: scapy takes an
    element that is longer than it knows for two."""
    out = []
    while octets:
        kind, length, instance = struct.unpack("!BHB", octets[:4])
        out.append((kind, instance & 15, octets[4 : 4 + length]))
        octets = octets[4 + length :]
    return out


class Message:
    """A message of the gateway: its header by scapy, its elements by hand and by scapy."""

    def __init__(self, octets):
        self.octets = octets
        self.packet = GTPHeader(octets)
        self.kind, self.teid, self.sequence = self.packet.gtp_type, self.packet.teid, self.packet.seq
        self.elements = elements(octets[12:]) if self.packet.T else elements(octets[8:])

    def get(self, kind, instance=0):
        for k, i, value in self.elements:
            if (k, i) == (kind, instance):
                return value
        return None

    def contexts(self, instance=0):
        return [elements(v) for k, i, v in self.elements if (k, i) == (93, instance)]

    @property
    def cause(self):
        return self.get(2)[0]

    @property
    def offending(self):
        value = self.get(2)
        return (value[2], value[5] & 15) if len(value) >= 6 else None

    def by_scapy(self, cls):
        """Every element of this class that scapy has read."""
        return [e for e in self.packet.payload.IE_list if isinstance(e, cls)]


def find(context, kind, instance=0):
    return next((v for k, i, v in context if (k, i) == (kind, instance)), None)


def teid_of(value):
    return struct.unpack("!I", value[1:5])[0]


class Sgw:
    def __init__(self, own, pgw):
        self.own, self.pgw = own, pgw
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind((own, 2123))
        self.socket.settimeout(3)
        self.sequence, self.next_teid, self.waiting = 0x1000, 0x5000, []

    def f_teid(self, interface, teid, instance=0):
        return IE_FTEID(
            instance=instance, ipv4_present=1, InterfaceType=interface, GRE_Key=teid, ipv4=self.own
        )

    def teid(self):
        self.next_teid += 1
        return self.next_teid

    def send(self, body, teid, sequence=None, command=False):
        if sequence is None:
            self.sequence += 1
            sequence = self.sequence | (0x800000 if command else 0)
        header = GTPHeader(P=0, T=1, teid=teid, seq=sequence)
        octets = bytes(header / body)
        self.socket.sendto(octets, (self.pgw, 2123))
        return octets, sequence

    def receive(self):
        octets, source = self.socket.recvfrom(65535)
        assert source == (self.pgw, 2123), source
        message = Message(octets)
        if message.kind == 1:  # the gateway's own Echo Request
            answer = bytes.fromhex("40020009") + octets[4:8] + bytes.fromhex("0300010007")
            self.socket.sendto(answer, source)
            return self.receive()
        return message

    def wait(self, wanted):
        """The next message for which `wanted` holds; the others wait."""
        for message in self.waiting:
            if wanted(message):
                self.waiting.remove(message)
                return message
        while True:
            message = self.receive()
            if wanted(message):
                return message
            self.waiting.append(message)

    def ask(self, body, teid=0):
        """A request and its answer."""
        octets, sequence = self.send(body, teid)
        kind = octets[1] + 1
        return self.wait(lambda m: m.sequence == sequence and m.kind == kind), octets

    def asked(self, kind):
        """A request of the gateway."""
        return self.wait(lambda m: m.kind == kind)


class Session:
    def __init__(self, sgw, imsi, apn="red.corp", pdn=V4, mode=0, leave_out=(), dual=True):
        self.sgw, self.own_c, self.own_u = sgw, sgw.teid(), sgw.teid()
        paa = {"PDN_type": pdn}
        if pdn in (V4, V4V6):
            paa["ipv4"] = "0.0.0.0"
        if pdn in (V6, V4V6):
            paa["ipv6_prefix_length"], paa["ipv6"] = 0, 0
        pco = bytes.fromhex("80") + bytes.fromhex("000d00" "000300" "001000" "000a00")
        pco += bytes.fromhex("8021" "10" "01010010" "810600000000" "830600000000")
        everything = [
            IE_IMSI(IMSI=imsi),
            IE_ServingNetwork(MCC="001", MNC="01"),
            IE_RAT(RAT_type=6),
            sgw.f_teid(SGW_C, self.own_c),
            IE_APN(APN=apn),
            IE_SelectionMode(SelectionMode=mode),
            IE_PDN_type(PDN_type=pdn),
            IE_PAA(**paa),
            IE_APN_Restriction(APN_Restriction=0),
            IE_AMBR(AMBR_Uplink=20000, AMBR_Downlink=50000),
            IE_NotImplementedTLV(ietype=78, length=len(pco), data=pco),
            IE_BearerContext(
                IE_list=[
                    IE_EPSBearerID(EBI=5),
                    sgw.f_teid(SGW_U, self.own_u, instance=2),
                    IE_Bearer_QoS(PriorityLevel=9, QCI=9),
                ]
            ),
            # DAF: the UE may have both families on one bearer.
            IE_NotImplementedTLV(ietype=77, length=2, data=b"\x80\0" if dual else b"\0\0"),
            IE_RecoveryRestart(restart_counter=7),
            IE_UE_Timezone(Timezone=0x63, DST=0),
        ]
        kept = [e for e in everything if not isinstance(e, tuple(leave_out))]
        self.answer, self.request = sgw.ask(GTPV2CreateSessionRequest(IE_list=kept))
        # Of a request that cannot be read the TEID need not be known (TS 29.274 §5.5.2).
        assert self.answer.teid == self.own_c or leave_out, self.answer.teid
        self.cause = self.answer.cause
        if self.cause in (16, 18, 19):
            self.pgw_c = teid_of(self.answer.get(87, 1))
            context = self.answer.contexts()[0]
            self.pgw_u = teid_of(find(context, 87, 2))
            self.paa = self.answer.get(79)

    def delete(self, ebi=5):
        body = GTPV2DeleteSessionRequest(IE_list=[IE_EPSBearerID(EBI=ebi)])
        return self.sgw.ask(body, self.pgw_c)[0]

    def modify(self, ebis, rat=8):
        contexts = [IE_BearerContext(IE_list=[IE_EPSBearerID(EBI=e)]) for e in ebis]
        body = GTPV2ModifyBearerRequest(IE_list=[IE_RAT(RAT_type=rat)] + contexts)
        return self.sgw.ask(body, self.pgw_c)[0]


class Admin:
    def __init__(self, address, token):
        self.base, self.token = f"http://{address}", token

    def call(self, method, path, body=None):
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.base + path, data, method=method)
        request.add_header("authorization", f"Bearer {self.token}")
        request.add_header("content-type", "application/json")
        try:
            with urllib.request.urlopen(request, timeout=10) as response:
                return response.status, json.load(response)
        except urllib.error.HTTPError as error:
            return error.code, json.load(error)


def equal(what, got, wanted):
    assert got == wanted, f"{what}: {got}, and not {wanted}"


def imsi(n):
    return f"00101{n:010d}"


def sessions_of_all_types(sgw, has_ipv6):
    """TS 29.274 §7.2.1, §7.2.7 and §7.2.9."""
    plan = [(V4, 16, V4)]
    plan += [(V6, 16, V6), (V4V6, 16, V4V6)] if has_ipv6 else [(V6, 83, None), (V4V6, 18, V4)]
    for n, (pdn, cause, granted) in enumerate(plan, 1):
        session = Session(sgw, imsi(n), pdn=pdn)
        equal(f"cause for PDN type {pdn}", session.cause, cause)
        if granted is None:
            continue
        equal("PDN type", session.paa[0] & 7, granted)
        if granted in (V4, V4V6):
            address = ipaddress.ip_address(session.paa[-4:])
            assert address in ipaddress.ip_network("10.20.0.0/24"), address
            equal("scapy's address", session.answer.by_scapy(IE_PAA)[0].ipv4, str(address))
        if granted in (V6, V4V6):
            equal("prefix length", session.paa[1], 64)
            prefix = ipaddress.ip_address(session.paa[2:18])
            assert prefix in ipaddress.ip_network("fd20:1::/48"), prefix
        pco = session.answer.get(78)
        if granted in (V4, V4V6):
            assert bytes.fromhex("000d040a14ff0a") in pco, pco.hex()
            assert bytes.fromhex("0010020578") in pco, pco.hex()
        equal("restriction", session.answer.get(127), b"\4")
        # A duplicate has the same octets.
        sgw.socket.sendto(session.request, (sgw.pgw, 2123))
        equal("the duplicate's answer", sgw.receive().octets, session.answer.octets)
        equal("modification", session.modify([5]).cause, ACCEPTED)
        # A bearer that is not there: partly, or not at all.
        answer = session.modify([5, 9])
        equal("partly", answer.cause, 17)
        marked = answer.contexts(instance=1)[0]
        equal("marked", (find(marked, 73), find(marked, 2)[0]), (b"\x09", 64))
        equal("not at all", session.modify([9]).cause, 64)
        equal("deletion by another bearer", session.delete(ebi=7).cause, 64)
        equal("deletion", session.delete().cause, ACCEPTED)
        gone = session.delete()
        equal("deletion of what is gone", (gone.cause, gone.teid), (64, 0))
    if has_ipv6:
        single = Session(sgw, imsi(9), pdn=V4V6, dual=False)
        equal("one family on a bearer", (single.cause, single.paa[0] & 7), (19, V4))
        equal("deletion", single.delete().cause, ACCEPTED)
    print(f"  sessions: {len(plan)} PDN types, with options, modified and deleted; duplicates alike")


def refusals(sgw, admin):
    """TS 29.274 §7.7 and §8.4."""
    for name, cls, cause, ie in [
        ("RAT type", IE_RAT, 70, (82, 0)),
        ("APN", IE_APN, 70, (71, 0)),
        ("Bearer Context", IE_BearerContext, 70, (93, 0)),
        ("IMSI", IE_IMSI, 103, (1, 0)),
        ("Selection Mode", IE_SelectionMode, 103, (128, 0)),
        ("APN-AMBR", IE_AMBR, 103, (72, 0)),
    ]:
        without = Session(sgw, imsi(20), leave_out=[cls])
        equal(f"without {name}", (without.cause, without.answer.offending), (cause, ie))
    equal("unknown APN", Session(sgw, imsi(20), apn="blue.corp").cause, 78)
    equal("APN without subscription", Session(sgw, imsi(20), mode=1).cause, 93)
    # Of a /29 the first and the last address are nobody's, and the second is the gateway's.
    five = [Session(sgw, imsi(n), apn="tiny.corp") for n in range(40, 45)]
    equal("five addresses", [s.cause for s in five], [ACCEPTED] * 5)
    equal("a full pool", Session(sgw, imsi(46), apn="tiny.corp").cause, 84)
    equal("deletions", [s.delete().cause for s in five], [ACCEPTED] * 5)
    order = {"imsi": imsi(23), "cut": "1", "version": 1, "reason": "lost", "actor": "test"}
    equal("the bar", admin.call("POST", "/v1/bars", order)[0], 200)
    equal("a barred SIM", Session(sgw, imsi(23)).cause, 89)
    unknown = Session.__new__(Session)
    unknown.sgw, unknown.pgw_c = sgw, 0x12345678
    for answer in (unknown.delete(), unknown.modify([5])):
        equal("an unknown TEID", (answer.cause, answer.teid), (64, 0))
    print("  refusals: 64, 70, 78, 84, 89, 93 and 103, with the element where there is one")


def bearer_response(sgw, session, request, ebi, cause=ACCEPTED):
    """Create Bearer Response, TS 29.274 §7.2.4."""
    context = request.contexts()[0]
    pgw_end = teid_of(find(context, 87, 1))
    inner = [IE_EPSBearerID(EBI=ebi if cause == ACCEPTED else 0), IE_Cause(Cause=cause)]
    if cause == ACCEPTED:
        inner.append(sgw.f_teid(SGW_U, sgw.teid(), instance=2))
    inner.append(
        IE_FTEID(instance=3, ipv4_present=1, InterfaceType=PGW_U, GRE_Key=pgw_end, ipv4=sgw.pgw)
    )
    body = GTPV2CreateBearerResponse(
        IE_list=[IE_Cause(Cause=cause), IE_BearerContext(IE_list=inner)]
    )
    sgw.send(body, session.pgw_c, request.sequence)


def context_response(sgw, session, request, cls, ebi, cause=ACCEPTED):
    context = IE_BearerContext(IE_list=[IE_EPSBearerID(EBI=ebi), IE_Cause(Cause=cause)])
    sgw.send(cls(IE_list=[IE_Cause(Cause=cause), context]), session.pgw_c, request.sequence)


def listed(admin, number):
    status, body = admin.call("GET", f"/v1/sessions/{number}/bearers")
    equal("the list", status, 200)
    return body


def until(what, condition):
    for _ in range(100):
        if condition():
            return
        time.sleep(0.02)
    raise AssertionError(f"never came: {what}")


def bearers(sgw, admin):
    """TS 29.274 §7.2.3 to §7.2.6 and §7.2.14 to §7.2.17."""
    session = Session(sgw, imsi(31), apn="voice.corp")
    equal("session", session.cause, ACCEPTED)
    number = struct.unpack("!I", find(session.answer.contexts()[0], 94))[0]
    request = sgw.asked(95)
    equal("its TEID", request.teid, session.own_c)
    equal("linked EBI", request.get(73), b"\x05")
    context = request.contexts()[0]
    tft = find(context, 84)
    # One filter, both ways, number 0: UDP, 10.20.255.10/32, ports 5004 to 5100.
    equal("TFT", tft.hex(), "21" "300110" "3011" "100a14ff0affffffff" "51138c13ec")
    qos = find(context, 80)
    equal("QCI and rates", (qos[1], qos[2:7].hex(), qos[12:17].hex()), (1, "0000000080", "0000000040"))
    # Nobody answers: the same octets come again.
    again = sgw.asked(95)
    equal("the retransmission", again.octets, request.octets)
    # The UE is being handed over: the gateway asks again, as a new request.
    bearer_response(sgw, session, request, 6, cause=110)
    later = sgw.asked(95)
    assert later.sequence != request.sequence
    bearer_response(sgw, session, later, 6)
    until("the voice bearer", lambda: [b["ebi"] for b in listed(admin, number)["bearers"]] == [6])
    equal("modification of both", session.modify([5, 6]).cause, ACCEPTED)

    # The subscription changes, within what the access point grants.
    body = GTPV2ModifyBearerCommand(
        IE_list=[
            IE_AMBR(AMBR_Uplink=5000, AMBR_Downlink=900000),
            IE_BearerContext(
                IE_list=[IE_EPSBearerID(EBI=5), IE_Bearer_QoS(PriorityLevel=3, QCI=7)]
            ),
        ]
    )
    _, sequence = sgw.send(body, session.pgw_c, command=True)
    update = sgw.asked(97)
    equal("its sequence number", update.sequence, sequence)
    equal("its rates", struct.unpack("!II", update.get(72)), (5000, 100000))
    context_response(sgw, session, update, GTPV2UpdateBearerResponse, 5)
    until("the rates", lambda: listed(admin, number)["ambr"]["uplink_bps"] == 5_000_000)
    _, sequence = sgw.send(body, 0x12345678, command=True)
    failed = sgw.wait(lambda m: m.sequence == sequence)
    equal("for nobody's session", (failed.kind, failed.teid, failed.cause), (65, 0, 64))

    # A UE asks: for a class that it may have, and for one that it may not.
    for qci, granted in [(5, True), (1, False)]:
        flow = bytes([qci]) + bytes(20)
        tad = bytes.fromhex("21" "300f05" "3006" "5001f6")
        body = GTPV2BearerResourceCommand(
            IE_list=[
                IE_EPSBearerID(EBI=5),
                IE_NotImplementedTLV(ietype=100, length=1, data=b"\x09"),
                IE_NotImplementedTLV(ietype=81, length=len(flow), data=flow),
                IE_NotImplementedTLV(ietype=85, length=len(tad), data=tad),
            ]
        )
        _, sequence = sgw.send(body, session.pgw_c, command=True)
        answer = sgw.wait(lambda m: m.sequence == sequence)
        if granted:
            equal("the UE's bearer", (answer.kind, answer.get(100)), (95, b"\x09"))
            bearer_response(sgw, session, answer, 7)
            until("it", lambda: len(listed(admin, number)["bearers"]) == 2)
        else:
            equal("the refusal", (answer.kind, answer.cause, answer.get(100)), (69, 89, b"\x09"))

    # The access has lost it.
    body = GTPV2DeleteBearerCommand(
        IE_list=[IE_BearerContext(IE_list=[IE_EPSBearerID(EBI=7)])]
    )
    _, sequence = sgw.send(body, session.pgw_c, command=True)
    deletion = sgw.wait(lambda m: m.sequence == sequence)
    equal("the deletion", (deletion.kind, deletion.get(73, 1)), (99, b"\x07"))
    context_response(sgw, session, deletion, GTPV2DeleteBearerResponse, 7)

    # The network takes the other one down, and the session ends.
    equal("list", [b["ebi"] for b in listed(admin, number)["bearers"]], [6])
    replies = []
    path = f"/v1/sessions/{number}/bearers/6"
    caller = threading.Thread(target=lambda: replies.append(admin.call("DELETE", path)))
    caller.start()
    deletion = sgw.asked(99)
    equal("EBIs", (deletion.get(73), deletion.get(73, 1)), (None, b"\x06"))
    context_response(sgw, session, deletion, GTPV2DeleteBearerResponse, 6)
    caller.join()
    equal("the reply", replies[0][0], 200)
    equal("deletion", session.delete().cause, ACCEPTED)
    print("  bearers: by rule, by command, by order; put off, retransmitted, refused, deleted")


def main():
    parser = argparse.ArgumentParser()
    for name in ("pgw", "own", "admin", "token"):
        parser.add_argument(f"--{name}", required=True)
    parser.add_argument("--ipv6", action="store_true")
    told = parser.parse_args()
    sgw, admin = Sgw(told.own, told.pgw), Admin(told.admin, told.token)
    echo = bytes(GTPHeader(P=0, T=0, seq=1) / GTPV2EchoRequest(IE_list=[IE_RecoveryRestart(restart_counter=7)]))
    sgw.socket.sendto(echo, (told.pgw, 2123))
    answer = sgw.receive()
    equal("echo", (answer.kind, answer.sequence), (2, 1))
    sessions_of_all_types(sgw, told.ipv6)
    refusals(sgw, admin)
    bearers(sgw, admin)
    equal("messages that nobody asked for", [m.kind for m in sgw.waiting], [])


main()
