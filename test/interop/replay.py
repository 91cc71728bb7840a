#!/usr/bin/env python3
"""A second reading of docs/protocol.md: plays the vectors of docs/vectors.md again from their inputs and compares every
byte. What it gives as evidence judge.py judges. Comments name headings. Usage: replay.py [folder or file ...]"""
import json
import struct
import sys
from hashlib import sha256
from hmac import digest as hmac
from io import BytesIO
from itertools import accumulate, combinations, product
from math import comb, prod
from pathlib import Path
from cryptography.hazmat.primitives.asymmetric import ed25519, x25519
from cryptography.hazmat.primitives.ciphers import Cipher, aead, algorithms, modes

LAYOUTS = {  # Messages, byte by byte, as `struct` names fields: behind the header, and of each row (None: bytes)
    "AdvertiseKeys": ("<B32s", "<32s32s"),  # S, share-encryption key; for each slot mask key, seed commitment
    "ShareKeys": ("<H", None),  # number of parts; the parts
    "MaskedInput": ("<HHI", None),  # slot, b, d; the masked vector
    "ConsistencyCheck": ("<B32s", None),  # slot, survivors digest
    "Unmasking": ("<BH", "<HB48s"),  # slot, number of answers; each: member, kind (none, seed, mask), opening
}
ELL = 2**252 + 27742317777372353535851937790883648493
SECRETS = ["mask", "seed"]  # of each slot
unhex = bytes.fromhex
le = lambda value, size: value.to_bytes(size, "little")
num = lambda data: int.from_bytes(data, "little")
sha = lambda data: sha256(data).digest()

def F(purpose, *fields):  # Fields and labels
    parts = [le(f, 4) if isinstance(f, int) else f.encode() if isinstance(f, str) else f for f in fields]
    return b"".join(le(len(part), 4) + part for part in [b"chorale/2 secagg " + purpose.encode(), *parts])

H = lambda purpose, *fields: sha(F(purpose, *fields))
hkdf = lambda ikm, salt, info: hmac(hmac(salt, ikm, "sha256"), info + b"\1", "sha256")
block_digest = lambda c: H("block", 2, c["federation"], unhex(c["charterDigest"]), c["block"], c["slots"],
                           c["minSurvivors"], c["maxColluders"], c["graph"], len(c["members"]),
                           *(field for m in c["members"] for field in (m["id"], unhex(m["publicKey"]))))
dealt_transcript = lambda setup, roots: H("dealt transcript", setup, len(roots), *(f for r in roots.items() for f in r))
round_transcript = lambda dealt, c, expected: H("round transcript", dealt, c["slot"], c["round"], c["attempt"], unhex(
    c["queryDigest"]), unhex(c["modelDigest"]), c["dimension"], c["modulusBits"], len(expected), *expected)
mask_private_key = lambda block_digest, u, slot, root: hkdf(root, block_digest, F("mask private key", u, slot))
signed_bytes = lambda kind, transcript, digest: b"chorale/2 secagg signature %b\0" % kind.encode() + transcript + digest
deviations = lambda inputs, **fields: [d for d in inputs["deviations"] if fields.items() <= d.items()]

def dh(own, other=le(9, 32)):
    return x25519.X25519PrivateKey.from_private_bytes(own).exchange(x25519.X25519PublicKey.from_public_bytes(other))

def advertised(digest, u, slot, mask_root, seed_root):  # of a slot: mask key, seed commitment
    return dh(mask_private_key(digest, u, slot, mask_root)), H("seed commitment", digest, u, slot, seed_root)

def words(key, count):
    stream = Cipher(algorithms.AES(key), modes.CTR(bytes(16))).encryptor().update(bytes(4 * count))
    return struct.unpack(f"<{count}I", stream)

def add_masks(vector, b, masks):  # Masking
    for mask in masks:
        vector = [x + mask["sign"] * word for x, word in zip(vector, words(mask["key"], len(vector)))]
    return [x % 2**b for x in vector]

def merkle(leaves):  # ShareKeys; RFC 9162, 2.1: the root, and the path of each leaf
    if len(leaves) == 1:
        return sha(b"\0" + leaves[0]), [[]]
    cut = 1 << (len(leaves) - 1).bit_length() - 1
    (left, left_paths), (right, right_paths) = merkle(leaves[:cut]), merkle(leaves[cut:])
    return sha(b"\1" + left + right), [p + [right] for p in left_paths] + [p + [left] for p in right_paths]

def least(N, M, k, weight, strict):  # The plan: the least x with weight * Pr[X(N, M, k) >= x] <= 1, or < 1 if strict
    total, tails = comb(N, k), accumulate(comb(M, x) * comb(N - M, k - x) for x in range(min(M, k), -1, -1))
    return sum(weight * tail + strict > total for tail in tails)

def plan(n, C, D):
    for k in range(2, n if max(C, D) <= n - 2 else 0, 2):
        e, s = least(n - 1, C, k, n * 2**104, False), least(n - 1, D, k, n * 2**20, True)
        c, q = least(n, C, k, n * n * 2**103, False), least(n, D, k, n * n * 2**19, True)
        if (t := -(-(k + e) // 2)) <= k + 1 - s and c <= k + 1 - q:
            return [k, t, c]
    return None

def permuted(order, seed):  # The graph, Harary
    stream = iter(words(seed, 8 * len(order) + 256))
    for j in range(len(order) - 1, 0, -1):
        i = next(word for word in stream if word < 2**32 // (j + 1) * (j + 1)) % (j + 1)
        order[i], order[j] = order[j], order[i]
    return order

def set_up(c, digest, adverts):  # adverts: roster index to message. The graph, and all shareholders
    m, C, adverts_digest = len(adverts), c["maxColluders"], H("adverts", digest, len(adverts), *adverts.values())
    seed = H("graph permutation", adverts_digest)
    found = plan(m, C, max(0, m - c["minSurvivors"])) if c["graph"] == "harary" else None
    k, t, cut = found or (m, max(-(-2 * m // 3), (m + C) // 2 + 1), 0)
    order = permuted(list(adverts), seed) if found else list(adverts)
    places = [d for d in range(-k // 2, k // 2 + 1) if d] if found else range(m)
    kind, text = ("harary", f"harary k={k} t={t} cut={cut}") if found else ("complete", f"complete k={k} t={t}")
    graph = dict(kind=kind, order=order, shareholders=k, threshold=t, cutFloor=cut, descriptor=text)
    holders = {u: sorted(order[(i + d) % m] for d in places) for i, u in enumerate(order)}
    setup = H("setup transcript", adverts_digest, text)
    return dict(advertsDigest=adverts_digest, permutationSeed=seed, graph=graph, setupTranscript=setup), holders

def interpolate(points, at):
    value = 0
    for x, y in points:
        others = [other for other, _ in points if other != x]
        value += y * prod(at - other for other in others) * pow(prod(x - other for other in others), -1, ELL)
    return value % ELL

def read(openings, t, is_root):  # Checks, answers and the sum, 1: the root (or None), and whether something is wrong
    points = [(holder + 1, num(opening[:32])) for holder, opening in openings.items()]
    if len(points) < t or any(y >= ELL for _, y in points):
        return None, len(points) >= t
    for i, some in enumerate(combinations(points, t)):  # the first t, then any other t: a decoder as it is defined
        root = le(interpolate(some, 0), 32)
        if is_root(root):
            fitting = sum(interpolate(some, x) == y for x, y in points)
            if i == 0 or fitting >= len(points) - (len(points) - t) // 2:
                return root, i > 0 or fitting < len(points)
    return None, True

def aborted(reason, have, need, members=(), **evidence):
    return {"kind": "aborted", "reason": reason, "have": have, "need": need, "members": list(members), **evidence}

class Block:  # all members and the coordinator of a block and its rounds, played from a vector's inputs
    def __init__(self, inputs):
        self.inputs, self.config, self.keys, self.slots, self.rng = inputs, inputs["config"], {}, {}, []
        self.ids = [m["id"] for m in inputs["members"]]
        for m in inputs["members"]:
            chacha = Cipher(algorithms.ChaCha20(unhex(m["randomnessSeed"]), bytes(16)), None).encryptor()
            stream = chacha.update(bytes(m["randomnessLength"]))
            same(stream, m.get("randomness", stream.hex()), f"randomness of {m['id']}")
            self.rng.append(BytesIO(stream))

    def signed(self, kind, u, transcript, values, rows=(), digest=None, **beside):
        layout, row = LAYOUTS[kind]
        body = struct.pack("<BBH", 2, list(LAYOUTS).index(kind), u) + struct.pack(layout, *values)
        body += b"".join(struct.pack(row, *r) if row else r for r in rows)
        key = ed25519.Ed25519PrivateKey.from_private_bytes(unhex(self.inputs["members"][u]["identitySeed"]))
        return {"member": u, **beside, "message": body + key.sign(signed_bytes(kind, transcript, digest or sha(body)))}

    def play(self):
        c, silent, self.digest = self.config, self.inputs["silentFrom"], block_digest(self.config)
        self.adverts = {u: self.advertise_keys(u) for u, id in enumerate(self.ids) if id not in silent["AdvertiseKeys"]}
        out, m = {"blockDigest": self.digest, "adverts": [*self.adverts.values()]}, len(self.adverts)
        if m < c["minSurvivors"]:
            return out | {"aborted": aborted("TooFewAdverts", m, c["minSurvivors"])}
        derived, self.holders = set_up(c, self.digest, {u: advert["message"] for u, advert in self.adverts.items()})
        self.graph, self.setup, self.dealt = derived["graph"], derived["setupTranscript"], {}
        self.t, self.q = self.graph["threshold"], (m + c["maxColluders"]) // 2 + 1
        self.floor = max(c["minSurvivors"], self.t, self.q)
        self.shared = {u: self.share_keys(u) for u in self.adverts if self.ids[u] not in silent["ShareKeys"]}
        out |= derived | {"shareKeys": [*self.shared.values()]}
        if len(self.shared) < self.floor:
            return out | {"aborted": aborted("TooFewShareKeys", len(self.shared), self.floor)}
        roots = {u: message["root"] for u, message in self.shared.items()}
        self.transcript = dealt_transcript(self.setup, roots)
        out |= {"members": list(roots), "dealtTranscript": self.transcript, "bundles": [], "missing": []}
        for u in roots:  # What the coordinator relays when ShareKeys is over
            dealers = [v for v in self.holders[u] if v in roots]
            message = struct.pack("<BHH", 2, u, len(roots)) + b"".join(le(v, 2) + root for v, root in roots.items())
            message += le(len(dealers), 2)
            for v, (part, path, _) in [(v, self.dealt[v, u]) for v in dealers]:
                message += le(v, 2) + part + bytes([len(path)]) + b"".join(path)
            out["bundles"].append({"member": u, "message": message})
            if missing := [v for v in dealers if self.dealt[v, u][2] is None]:
                out["missing"].append({"member": u, "dealers": missing})
        return out | {"rounds": [self.round(given) for given in self.inputs["rounds"]]}

    def advertise_keys(self, u):
        roots = [[le(num(self.rng[u].read(64)) % ELL, 32) for _ in SECRETS] for _ in range(self.config["slots"])]
        slots = [{"maskRoot": mask, "seedRoot": seed, "maskPrivateKey": mask_private_key(self.digest, u, slot, mask)}
                 for slot, (mask, seed) in enumerate(roots)]
        keys = [advertised(self.digest, u, slot, mask, seed) for slot, (mask, seed) in enumerate(roots)]
        private = self.rng[u].read(32)
        self.keys[u], self.slots[u] = dh(private), keys
        return self.signed("AdvertiseKeys", u, self.digest, [len(slots), dh(private)], keys,
                           encryptionPrivateKey=private, slots=slots)

    def share_keys(self, u):
        openings, parts = {v: b"" for v in self.holders[u]}, {v: le(v, 2) for v in self.holders[u]}
        for slot, own in enumerate(self.adverts[u]["slots"]):
            a = [[num(own[name + "Root"]), *(num(self.rng[u].read(64)) for _ in range(self.t - 1))] for name in SECRETS]
            for v, (secret, name) in product(parts, enumerate(SECRETS)):
                share = sum(a_i * (v + 1)**i for i, a_i in enumerate(a[secret]))
                for lie in deviations(self.inputs, kind="wrong-dealing", member=u, slot=slot, secret=name):
                    share += num(unhex(lie["add"])) if v in lie["holders"] else 0
                opening = le(share % ELL, 32) + self.rng[u].read(16)
                openings[v] += opening
                parts[v] += H("share commitment", self.setup, u, v, slot, bytes([secret]), opening)
        for v in parts:
            shared_secret = dh(self.adverts[u]["encryptionPrivateKey"], self.keys[v])
            key, nonce = hkdf(shared_secret, self.setup, F("share sealing", u, v)), self.rng[u].read(12)
            parts[v] += nonce + aead.AESGCM(key).encrypt(nonce, openings[v], None)
            if deviations(self.inputs, kind="spoiled-part", member=u, holder=v):
                parts[v], openings[v] = parts[v][:-1] + bytes([parts[v][-1] ^ 1]), None
        root, paths = merkle(list(parts.values()))
        self.dealt |= {(u, v): (parts[v], path, openings[v]) for v, path in zip(parts, paths)}
        return self.signed("ShareKeys", u, self.setup, [len(parts)], parts.values(), root, root=root,
                           openings=[{"holder": v, "openings": openings[v]} for v in parts])

    def round(self, given):
        c, silent, order, sent, rows = given["context"], given["silentFrom"], self.graph["order"], {}, {}
        slot, b, d, expected = c["slot"], c["modulusBits"], c["dimension"], [self.ids.index(id) for id in c["expected"]]
        transcript = round_transcript(self.transcript, c, expected)
        self_mask = lambda u, sign, root: {"sign": sign, "key": hkdf(root, transcript, F("self mask", u))}
        pair_mask = lambda u, v, private: {"member": v, "sign": 1 if u < v else -1, "key": hkdf(
            dh(private, self.slots[v][slot][0]), transcript, F("pair mask", min(u, v), max(u, v)))}
        for u in [u for u in expected if self.ids[u] not in silent["MaskedInput"]]:
            own = self.adverts[u]["slots"][slot]
            mask = self_mask(u, 1, own["seedRoot"])
            pairs = [pair_mask(u, v, own["maskPrivateKey"]) for v in self.holders[u] if v in expected and v != u]
            masked = add_masks(given["vectors"][self.ids[u]], b, [mask, *pairs])
            packed = le(sum(y << i * b for i, y in enumerate(masked)), -(-d * b // 8))
            sent[u] = self.signed("MaskedInput", u, transcript, [slot, b, d], [packed], masked=masked,
                                  selfMaskKey=mask["key"], pairMasks=pairs)
        U2, out = list(sent), {"transcript": transcript, "expected": expected, "maskedInputs": [*sent.values()]}
        windows = [{order[i - d] for d in range(self.graph["shareholders"] // 2)} for i in range(len(order))]
        apart = ((a | b) & set(U2) for a, b in combinations(windows, 2) if not a & b)
        if len(U2) < self.floor or any(len(alive) < self.graph["cutFloor"] for alive in apart):
            reason = "TooFewMaskedInputs" if len(U2) < self.floor else "SurvivorsSplit"
            return out | {"outcome": aborted(reason, len(U2), self.floor)}
        digest = H("survivors", *U2)
        checks = {u: self.signed("ConsistencyCheck", u, transcript, [slot, digest])
                  for u in U2 if self.ids[u] not in silent["ConsistencyCheck"]}
        asked = [u for u in U2 if len({u, *checks}) >= self.q and len({u, *checks} & {*self.holders[u]}) >= self.t]
        out |= {"survivors": U2, "survivorsDigest": digest, "consistencyChecks": [*checks.values()]}
        if len(asked) < self.t:
            return out | {"outcome": aborted("TooFewChecks", len(checks), max(self.t, self.q))}
        for u in [u for u in asked if u in checks and self.ids[u] not in silent["Unmasking"]]:
            rows[u] = [self.answer(v, u, slot, int(v in U2)) for v in self.holders[u] if v in expected]
        answers = {u: self.signed("Unmasking", u, transcript, [slot, len(rows[u])], rows[u]) for u in rows}
        out |= {"asked": asked, "unmaskings": [*answers.values()]}
        if len(answers) < self.t:
            return out | {"outcome": aborted("TooFewAnswers", len(answers), self.t, evidence=[])}
        roots, left, lies = {}, {}, []
        for dealer in expected:
            openings = {u: opening for u in rows for v, kind, opening in rows[u] if v == dealer and kind}
            roots[dealer], lied, left[dealer] = self.recover(dealer, slot, int(dealer in U2), openings)
            lies += [self.accuse(c, answers, dealer, *lie) for lie in lied]
        if lost := [self.ids[u] for u in expected if roots[u] is None]:
            return out | {"outcome": aborted("SecretNotReconstructed", min(left.values()), self.t, lost, evidence=lies)}
        masks = [self_mask(u, -1, roots[u]) for u in U2]
        masks += [pair_mask(u, v, mask_private_key(self.digest, u, slot, roots[u]))
                  for u in expected if u not in U2 for v in self.holders[u] if v in U2]
        total = add_masks([sum(elements) for elements in zip(*(item["masked"] for item in sent.values()))], b, masks)
        return out | {"outcome": dict(kind="unmasked", sum=total, survivors=[self.ids[u] for u in U2], evidence=lies)}

    def answer(self, dealer, u, slot, secret):
        held = self.dealt[dealer, u][2]
        opening = held[96 * slot + 48 * secret:][:48] if held else bytes(48)
        for lie in deviations(self.inputs, kind="wrong-opening", member=u, slot=slot, dealer=dealer):
            opening = bytes(a ^ x for a, x in zip(opening, unhex(lie["xor"])))
        return dealer, 2 - secret if held else 0, opening

    def recover(self, dealer, slot, secret, openings):  # the root, what lies there are, and how many openings are left
        is_root = lambda r: advertised(self.digest, dealer, slot, r, r)[secret] == self.slots[dealer][slot][secret]
        commitment = lambda u: H("share commitment", self.setup, dealer, u, slot, bytes([secret]), openings[u])
        given = lambda u: self.dealt[dealer, u][0][2 + 64 * slot + 32 * secret:][:32]
        _, wrong = read(openings, self.t, is_root)  # 1
        fits = [u for u in openings if not wrong or (num(openings[u][:32]) < ELL and commitment(u) == given(u))]  # 2
        root, wrong = read({u: openings[u] for u in fits}, self.t, is_root)
        lies = [("wrong-opening", u, [u]) for u in openings if u not in fits]
        return root, lies + [("wrong-dealing", dealer, fits)] * wrong, len(fits)

    def accuse(self, context, answers, dealer, lie, accused, responders):  # Evidence
        proofs = [{"part": {"dealer": dealer, "part": part, "path": path}, "answer": answers[u]["message"]}
                  for u, (part, path, _) in [(u, self.dealt[dealer, u]) for u in responders]]
        return {"verdict": {"accused": self.ids[accused], "lie": lie}, "evidence": {
            "lie": lie, "dealer": dealer, "config": self.config, "context": context,
            "adverts": [advert["message"] for advert in self.adverts.values()],
            "roots": [{"member": u, "root": message["root"]} for u, message in self.shared.items()],
            "dealerSignature": self.shared[dealer]["message"][-64:], "openings": proofs}}

def same(made, given, where):  # compares a step with all that is in it; fails at the first difference
    if isinstance(made, list) and isinstance(given, dict):  # the short form
        joined = b"".join(sent["message"] for sent in made)
        made = {"members": [sent["member"] for sent in made], "length": len(joined), "sha256": sha(joined)}
    if isinstance(made, (dict, list)) and type(made) is type(given) and len(made) == len(given):
        for key in made if isinstance(made, dict) else range(len(made)):
            same(made[key], given[key], f"{where}.{key}")
    elif (made.hex() if isinstance(made, bytes) else made) != given:
        raise ValueError(f"{where}: {made!r:.80} made, {given!r:.80} given")

if __name__ == "__main__":
    paths = [Path(path) for path in sys.argv[1:]] or [Path(__file__).parent.parent / "vectors" / "secagg"]
    files, failed = sorted(file for path in paths for file in (path.glob("*.json") if path.is_dir() else [path])), 0
    for file in files:
        try:
            vector = json.loads(file.read_text(encoding="utf-8"))
            if vector["name"] == "plans":
                same([[n, C, D, plan(n, C, D)] for n, C, D, _ in vector["plans"]], vector["plans"], "plans")
            else:
                block = Block(vector["inputs"])
                same(block.play(), vector["outputs"], "outputs")
                same(b"".join(rng.read() for rng in block.rng), "", "randomness that nobody drew")
            print("ok", file.stem)
        except Exception as error:  # a vector that cannot be played is a failed vector
            failed += 1
            print(f"FAILED {file.stem}: {type(error).__name__}: {error}")
    print(f"{len(files) - failed} passed, {failed} failed")
    sys.exit(failed > 0 or not files)
