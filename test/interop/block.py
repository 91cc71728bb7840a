"""docs/vectors.md: one block and its rounds, played by all members and the coordinator from a vector's inputs."""
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from evidence import *

NAMES = ["mask", "seed"]


class Member:
    """One member: its identity and its stream of randomness."""

    def __init__(self, index, given):
        self.index, self.id, self.identity = index, given["id"], unhex(given["identitySeed"])
        length = given["randomnessLength"]
        chacha = Cipher(algorithms.ChaCha20(unhex(given["randomnessSeed"]), bytes(16)), mode=None)
        self.stream, self.read = chacha.encryptor().update(bytes(length)), 0
        if "randomness" in given and unhex(given["randomness"]) != self.stream:
            raise ValueError(f"the randomness of {self.id} is not that of its seed")

    def draw(self, length):
        if self.read + length > len(self.stream):
            raise ValueError(f"{self.id} needs more randomness than it is given")
        self.read += length
        return self.stream[self.read - length : self.read]

    scalar = lambda self: num(self.draw(64)) % ELL


def listed(compact, sent):
    """sent: (member, message, what stands beside it)."""
    if not compact:
        return [{"member": u, **beside, "message": message.hex()} for u, message, beside in sent]
    joined = b"".join(message for _, message, _ in sent)
    return {"members": [u for u, *_ in sent], "length": len(joined), "sha256": sha(joined).hex()}


def aborted(reason, have, need, **more):
    return {"kind": "aborted", "reason": reason, "have": have, "need": need, "members": [], **more}


class Block:
    def __init__(self, vector):
        inputs = vector["inputs"]
        self.compact, self.config, self.inputs = vector["compact"], inputs["config"], inputs
        self.S, self.ids = self.config["slots"], [m["id"] for m in self.config["members"]]
        self.members = [Member(i, given) for i, given in enumerate(inputs["members"])]
        self.public = [unhex(m["publicKey"]) for m in self.config["members"]]
        self.evidence = []

    def deviations(self, kind, u):
        return [d for d in self.inputs["deviations"] if d["kind"] == kind and d["member"] == u]

    def play(self):
        out, silent = {}, self.inputs["silentFrom"]
        self.digest = block_digest(self.config)
        out["blockDigest"] = self.digest.hex()
        sent = [self.advertise(m) for m in self.members if m.id not in silent["AdvertiseKeys"]]
        out["adverts"] = listed(self.compact, sent)
        if len(sent) < self.config["minSurvivors"]:
            return out | {"aborted": aborted("TooFewAdverts", len(sent), self.config["minSurvivors"])}
        self.adverts = {u: Advert(message) for u, message, _ in sent}
        if not all(acceptable(self.config, self.digest, a.message) for a in self.adverts.values()):
            raise ValueError("an advert is not acceptable")
        signed, seed, g, self.setup = set_up(self.config, self.digest, self.adverts)
        self.graph = g
        out |= {
            "advertsDigest": signed.hex(), "permutationSeed": seed.hex(), "setupTranscript": self.setup.hex(),
            "graph": {"kind": g.kind, "order": g.order, "shareholders": g.k, "threshold": g.t,
                      "cutFloor": g.cut, "descriptor": g.descriptor},
        }
        self.parts, self.roots, self.paths, self.dealt_signature = {}, {}, {}, {}
        sent = [self.deal(m) for m in self.members if m.index in self.adverts and m.id not in silent["ShareKeys"]]
        out["shareKeys"] = listed(self.compact, sent)
        if len(sent) < g.floor:
            return out | {"aborted": aborted("TooFewShareKeys", len(sent), g.floor)}
        u1 = list(self.roots)
        self.dealt = dealt_transcript(self.setup, self.roots)
        bundles = [(u, self.bundle(u), {}) for u in u1]
        # held[holder][dealer]: the openings of all slots.
        self.held = {u: {v: self.open(v, u) for v in g.holders[u] if v in self.roots} for u in u1}
        missing = {u: [v for v, openings in self.held[u].items() if openings is None] for u in u1}
        out |= {
            "members": u1, "bundles": listed(True, bundles), "dealtTranscript": self.dealt.hex(),
            "missing": [{"member": u, "dealers": dealers} for u, dealers in missing.items() if dealers],
        }
        out["rounds"] = [self.round(r) for r in self.inputs["rounds"]]
        for m in self.members:
            if m.read != len(m.stream):
                raise ValueError(f"{m.id} is given more randomness than it draws")
        return out

    def advertise(self, m):
        m.roots = [(m.scalar(), m.scalar()) for _ in range(self.S)]
        m.encryption, beside, body = m.draw(32), [], b""
        m.private = []
        for slot, (mask, seed) in enumerate(m.roots):
            mask, seed = le(mask, 32), le(seed, 32)
            m.private.append(hkdf(mask, self.digest, F("mask private key", m.index, slot)))
            body += x_public(m.private[slot]) + H("seed commitment", self.digest, m.index, slot, seed)
            beside.append({"maskRoot": mask.hex(), "seedRoot": seed.hex(), "maskPrivateKey": m.private[slot].hex()})
        body = header(0, m.index) + bytes([self.S]) + x_public(m.encryption) + body
        shown = {"encryptionPrivateKey": m.encryption.hex(), "slots": beside}
        return m.index, sign(m.identity, 0, self.digest, body), shown

    def sealing(self, dealer, holder, mine, other):
        secret = dh(self.members[mine].encryption, self.adverts[other].key)
        return AESGCM(hkdf(secret, self.setup, F("share sealing", dealer, holder)))

    def deal(self, m):
        u, holders = m.index, self.graph.holders[m.index]
        openings, commitments = {v: b"" for v in holders}, {v: b"" for v in holders}
        for slot, roots in enumerate(m.roots):
            polynomials = [[root] + [m.scalar() for _ in range(self.graph.t - 1)] for root in roots]
            for v in holders:
                for which, polynomial in enumerate(polynomials):
                    share = 0
                    for coefficient in reversed(polynomial):
                        share = (share * (v + 1) + coefficient) % ELL
                    for d in self.deviations("wrong-dealing", u):
                        if (d["slot"], d["secret"]) == (slot, NAMES[which]) and v in d["holders"]:
                            share = (share + num(unhex(d["add"]))) % ELL
                    opening = le(share, 32) + m.draw(16)
                    openings[v] += opening
                    commitments[v] += H("share commitment", self.setup, u, v, slot, bytes([which]), opening)
        parts = {}
        for v in holders:
            nonce = m.draw(12)
            parts[v] = le(v, 2) + commitments[v] + nonce + self.sealing(u, v, u, v).encrypt(nonce, openings[v], None)
        for d in self.deviations("spoiled-part", u):
            parts[d["holder"]] = parts[d["holder"]][:-1] + bytes([parts[d["holder"]][-1] ^ 1])
        self.parts[u] = parts
        self.roots[u], paths = tree(list(parts.values()))
        self.paths[u] = dict(zip(holders, paths))
        body = header(1, u) + le(len(parts), 2) + b"".join(parts.values())
        message = sign(m.identity, 1, self.setup, body, self.roots[u])
        self.dealt_signature[u] = message[-64:]
        opened = [] if self.compact else [(v, self.open(u, v)) for v in holders]
        shown = [{"holder": v, "openings": found and found.hex()} for v, found in opened]
        return u, message, {"root": self.roots[u].hex(), "openings": shown}

    def open(self, dealer, holder):
        """The openings that `holder` finds in its part, or None: missing."""
        part, at = self.parts[dealer][holder], 2 + 64 * self.S
        holders = self.graph.holders[dealer]
        path = self.paths[dealer][holder]
        if rooted(part, holders.index(holder), len(holders), path) != self.roots[dealer]:
            return None
        try:
            key = self.sealing(dealer, holder, holder, dealer)
            openings = key.decrypt(part[at : at + 12], part[at + 12 :], None)
        except InvalidTag:
            return None
        pieces = [(slot, which, openings[i : i + 48]) for slot in range(self.S) for which in (0, 1)
                  for i in [96 * slot + 48 * which]]
        good = all(committed(part, self.setup, dealer, holder, slot, which, o) for slot, which, o in pieces)
        return openings if good else None

    def bundle(self, u):
        dealers = [v for v in self.graph.holders[u] if v in self.roots]
        message = bytes([2]) + le(u, 2) + le(len(self.roots), 2)
        message += b"".join(le(v, 2) + root for v, root in self.roots.items()) + le(len(dealers), 2)
        for v in dealers:
            path = self.paths[v][u]
            message += le(v, 2) + self.parts[v][u] + bytes([len(path)]) + b"".join(path)
        return message

    # --- A round ---
    def round(self, given):
        c, silent, g = given["context"], given["silentFrom"], self.graph
        slot, b, d = c["slot"], c["modulusBits"], c["dimension"]
        expected = [self.ids.index(id) for id in c["expected"]]
        transcript = round_transcript(self.dealt, c, expected)
        pair_key = lambda u, v: hkdf(dh(self.members[u].private[slot], self.adverts[v].slots[slot][0]), transcript,
                                     F("pair mask", min(u, v), max(u, v)))
        gone = set(silent["MaskedInput"])
        sent, total = [], [0] * d
        for u in [u for u in expected if self.ids[u] not in gone]:
            self_key = hkdf(le(self.members[u].roots[slot][1], 32), transcript, F("self mask", u))
            pairs = [{"member": v, "sign": 1 if u < v else -1, "key": pair_key(u, v)}
                     for v in g.neighbours[u] if v in expected]
            masks = [(1, self_key)] + [(p["sign"], p["key"]) for p in pairs]
            streams = [(s, words(key, d)) for s, key in masks]
            x = given["vectors"][self.ids[u]]
            y = [(x[i] + sum(s * stream[i] for s, stream in streams)) % 2**b for i in range(d)]
            packed = le(sum(e << (i * b) for i, e in enumerate(y)), (d * b + 7) // 8)
            body = header(2, u) + le(slot, 2) + le(b, 2) + le(d, 4) + packed
            message = sign(self.members[u].identity, 2, transcript, body)
            shown = [p | {"key": p["key"].hex()} for p in pairs]
            sent.append((u, message, {"selfMaskKey": self_key.hex(), "pairMasks": shown, "masked": y}))
            total = [t + e for t, e in zip(total, y)]
        out = {"transcript": transcript.hex(), "expected": expected, "maskedInputs": listed(self.compact, sent)}
        u2 = [u for u, *_ in sent]
        if len(u2) < g.floor or not g.survives(u2):
            reason = "TooFewMaskedInputs" if len(u2) < g.floor else "SurvivorsSplit"
            return out | {"outcome": aborted(reason, len(u2), g.floor)}

        gone |= set(silent["ConsistencyCheck"])
        survivors = H("survivors", *u2)
        checks = [(u, sign(self.members[u].identity, 3, transcript, header(3, u) + bytes([slot]) + survivors), {})
                  for u in u2 if self.ids[u] not in gone]
        signers = {u for u, *_ in checks}
        asked = [u for u in u2 if sum(v in signers or v == u for v in g.holders[u]) >= g.t
                 and len(signers | {u}) >= max(g.t, g.quorum)]
        out |= {"survivors": u2, "survivorsDigest": survivors.hex(), "consistencyChecks": listed(self.compact, checks)}
        if len(asked) < g.t:
            return out | {"outcome": aborted("TooFewChecks", len(checks), max(g.t, g.quorum))}

        gone |= set(silent["Unmasking"])
        answers = [(u, self.answer(u, slot, transcript, expected, u2), {}) for u in asked if self.ids[u] not in gone]
        out |= {"asked": asked, "unmaskings": listed(self.compact, answers)}
        if len(answers) < g.t:
            return out | {"outcome": aborted("TooFewAnswers", len(answers), g.t, evidence=[])}
        messages = {u: message for u, message, _ in answers}
        found, lost, fewest, lies = self.recover(slot, expected, u2, messages)
        self.evidence = [self.accuse(c, messages, *lie) for lie in lies]
        evidence = [{"evidence": e, "verdict": judge(self.inputs["floors"], e)} for e in self.evidence]
        if lost:
            names = [self.ids[u] for u in lost]
            end = aborted("SecretNotReconstructed", fewest, g.t, evidence=evidence) | {"members": names}
            return out | {"outcome": end}
        for u, root in found.items():
            if u in u2:
                masks = [(-1, hkdf(root, transcript, F("self mask", u)))]
            else:
                private = hkdf(root, self.digest, F("mask private key", u, slot))
                masks = [(1 if u < v else -1, hkdf(dh(private, self.adverts[v].slots[slot][0]), transcript,
                          F("pair mask", min(u, v), max(u, v)))) for v in g.neighbours[u] if v in u2]
            for s, key in masks:
                total = [t + s * w for t, w in zip(total, words(key, d))]
        total = [t % 2**b for t in total]
        if total != [sum(given["vectors"][self.ids[u]][i] for u in u2) % 2**b for i in range(d)]:
            raise ValueError("the masks do not cancel")
        names = [self.ids[u] for u in u2]
        return out | {"outcome": {"kind": "unmasked", "sum": total, "survivors": names, "evidence": evidence}}

    def answer(self, u, slot, transcript, expected, u2):
        asked, items = [v for v in self.graph.holders[u] if v in expected], b""
        for v in asked:
            held, which = self.held[u][v], int(v in u2)
            opening = held[96 * slot + 48 * which :][:48] if held else bytes(48)
            for lie in self.deviations("wrong-opening", u):
                if (lie["slot"], lie["dealer"]) == (slot, v):
                    opening = bytes(a ^ x for a, x in zip(opening, unhex(lie["xor"])))
            items += le(v, 2) + bytes([(2, 1)[which] if held else 0]) + opening
        body = header(4, u) + bytes([slot]) + le(len(asked), 2) + items
        return sign(self.members[u].identity, 4, transcript, body)

    def recover(self, slot, expected, u2, messages):
        t, found, lost, lies, counts = self.graph.t, {}, [], [], []
        given = {u: answers_of(message) for u, message in messages.items()}

        def read(openings, dealer, which):
            """The root, and whether something is wrong."""
            points = [(u + 1, num(o[:32])) for u, o in openings.items()]
            good = lambda value: gives(self.digest, self.adverts[dealer], slot, which, le(value, 32))
            if len(points) < t:
                return None, False
            if any(y >= ELL for _, y in points):
                return None, True
            root = interpolate(points[:t], 0)
            if good(root):
                return le(root, 32), any(interpolate(points[:t], x) != y for x, y in points[t:])
            root = decode(points, t)
            return (le(root, 32) if root is not None and good(root) else None), True

        for dealer in expected:
            which = int(dealer in u2)
            openings = {u: a[dealer][1] for u, a in given.items() if dealer in a and a[dealer][0]}
            root, wrong = read(openings, dealer, which)
            if wrong:
                good = {u: o for u, o in openings.items()
                        if committed(self.parts[dealer][u], self.setup, dealer, u, slot, which, o)}
                lies += [("wrong-opening", dealer, [u]) for u in openings if u not in good]
                openings, (root, wrong) = good, read(good, dealer, which)
                if wrong and len(good) >= t:
                    lies.append(("wrong-dealing", dealer, list(good)))
            counts.append(len(openings))
            if root is None:
                lost.append(dealer)
            else:
                found[dealer] = root
        return found, lost, min(counts), lies

    def accuse(self, context, messages, lie, dealer, responders):
        return {
            "lie": lie, "dealer": dealer, "config": self.config, "context": context,
            "adverts": [a.message.hex() for a in self.adverts.values()],
            "roots": [{"member": u, "root": root.hex()} for u, root in self.roots.items()],
            "dealerSignature": self.dealt_signature[dealer].hex(),
            "openings": [{"part": {"dealer": dealer, "part": self.parts[dealer][u].hex(),
                                   "path": [h.hex() for h in self.paths[dealer][u]]},
                          "answer": messages[u].hex()} for u in responders],
        }
