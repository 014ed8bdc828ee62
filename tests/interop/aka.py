"""EPS-AKA by itself: Milenage (TS 35.206), AUTS (TS 33.102 6.3.3) and KASME (TS 33.401 A.2).

Written for these tests from the specifications, with the AES of pycryptodome; nothing of it comes
from the programs under test. `python3 aka.py` checks it against test set 1 of TS 35.208.
"""
import hashlib
import hmac

from Crypto.Cipher import AES


def xor(a, b):
    return bytes(x ^ y for x, y in zip(a, b, strict=True))


class Milenage:
    def __init__(self, k, opc):
        self.aes = AES.new(k, AES.MODE_ECB)
        self.opc = opc

    def _temp(self, rand):
        return self.aes.encrypt(xor(rand, self.opc))

    def _out(self, rand, rotate, constant):
        mixed = xor(self._temp(rand), self.opc)
        mixed = mixed[rotate:] + mixed[:rotate]
        mixed = mixed[:15] + bytes([mixed[15] ^ constant])
        return xor(self.aes.encrypt(mixed), self.opc)

    def f1(self, rand, sqn, amf):
        """MAC-A and MAC-S."""
        in1 = (sqn + amf) * 2
        mixed = xor(in1, self.opc)
        mixed = mixed[8:] + mixed[:8]
        out = xor(self.aes.encrypt(xor(self._temp(rand), mixed)), self.opc)
        return out[:8], out[8:]

    def f2(self, rand):
        return self._out(rand, 0, 1)[8:]

    def f5(self, rand):
        return self._out(rand, 0, 1)[:6]

    def f3(self, rand):
        return self._out(rand, 4, 2)

    def f4(self, rand):
        return self._out(rand, 8, 4)

    def f5star(self, rand):
        return self._out(rand, 12, 8)[:6]

    def auts(self, rand, sqn_ms):
        """The token of a USIM that has seen `sqn_ms`; its AMF is zero."""
        mac_s = self.f1(rand, sqn_ms, b"\0\0")[1]
        return xor(sqn_ms, self.f5star(rand)) + mac_s


def plmn_octets(plmn):
    mcc, mnc = plmn[:3], plmn[3:]
    digits = [int(d) for d in mcc + mnc]
    third = digits[5] if len(mnc) == 3 else 0xF
    return bytes([digits[1] << 4 | digits[0], third << 4 | digits[2], digits[4] << 4 | digits[3]])


def kasme(ck, ik, sn_id, sqn_xor_ak):
    s = b"\x10" + sn_id + b"\x00\x03" + sqn_xor_ak + b"\x00\x06"
    return hmac.new(ck + ik, s, hashlib.sha256).digest()


def check_vector(usim, sn_id, vector):
    """What a USIM and an MME check. Returns SQN."""
    rand, autn = vector.rand, vector.autn
    sqn, amf, mac = xor(autn[:6], usim.f5(rand)), autn[6:8], autn[8:]
    assert amf[0] & 0x80, "the separation bit is not set"
    assert mac == usim.f1(rand, sqn, amf)[0], "MAC-A is wrong"
    assert vector.xres == usim.f2(rand), "XRES is wrong"
    wanted = kasme(usim.f3(rand), usim.f4(rand), sn_id, autn[:6])
    assert vector.kasme == wanted, "KASME is wrong"
    return int.from_bytes(sqn, "big")


def self_test():
    h = bytes.fromhex
    m = Milenage(h("465b5ce8b199b49faa5f0a2ee238a6bc"), h("cd63cb71954a9f4e48a5994e37a02baf"))
    rand, sqn, amf = h("23553cbe9637a89d218ae64dae47bf35"), h("ff9bb4d0b607"), h("b9b9")
    assert m.f1(rand, sqn, amf) == (h("4a9ffac354dfafb3"), h("01cfaf9ec4e871e9"))
    assert m.f2(rand) == h("a54211d5e3ba50bf")
    assert m.f5(rand) == h("aa689c648370")
    assert m.f3(rand) == h("b40ba9a3c58b2a05bbf0d987b21bf8cb")
    assert m.f4(rand) == h("f769bcd751044604127672711c6d3441")
    assert m.f5star(rand) == h("451e8beca43b")


if __name__ == "__main__":
    self_test()
    print("Milenage agrees with test set 1 of TS 35.208")
