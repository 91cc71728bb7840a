#!/usr/bin/env python3
"""What a third party says of evidence (docs/protocol.md, Evidence): judges all that the vectors give, as it is and as
their `judgements` alter it. The types of the JSON (step 0) and the limits (step 1) it takes for granted.
Usage: judge.py [file ...]"""
import json
import struct
import sys
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ed25519

from replay import (ELL, LAYOUTS, H, advertised, block_digest, dealt_transcript, interpolate, le, num, round_transcript,
                    set_up, sha, signed_bytes, unhex)

P = 2**255 - 19
LOW_ORDER = {0, 1, P - 1, 325606250916557431795983626356110631294008115727848805560023387167927233504,
             39382357235489614581723060781553021112529911719440698176882885853963445705823}


class Rejected(Exception):
    """Evidence that accuses nobody; its text is the first fault."""


def require(holds, fault):
    if not holds:
        raise Rejected(fault)


def verifies(public_key, kind, transcript, digest, signature):  # OpenSSL compares R as bytes and refuses S >= ELL
    try:
        key = ed25519.Ed25519PublicKey.from_public_bytes(public_key)
        key.verify(signature, signed_bytes(kind, transcript, digest))
    except (InvalidSignature, ValueError):
        return False
    return True


def decode(kind, message, fault):
    """Sender, fields and rows of an AdvertiseKeys or Unmasking, which has one encoding and is read to its last byte."""
    layout, row = LAYOUTS[kind]
    head, row, body = struct.Struct("<BBH" + layout[1:]), struct.Struct(row), message[:-64]
    require(len(body) >= head.size and (len(body) - head.size) % row.size == 0, fault)
    version, number, sender, *fields = head.unpack_from(body)
    require([version, number] == [2, list(LAYOUTS).index(kind)], fault)
    return sender, fields, list(row.iter_unpack(body[head.size:]))


def read_adverts(config, digest, messages):
    """Roster index to message, and to the mask keys and seed commitments of its slots."""
    adverts, slots, senders = {}, {}, []
    for message in map(unhex, messages):
        sender, [count, encryption_key], rows = decode("AdvertiseKeys", message, "BadSignature")
        require(count == len(rows) == config["slots"], "BadSignature")
        require(sender < len(config["members"]), "BadSignature")
        public_key = unhex(config["members"][sender]["publicKey"])
        require(verifies(public_key, "AdvertiseKeys", digest, sha(message[:-64]), message[-64:]), "BadSignature")
        public_keys = [encryption_key, *(mask_key for mask_key, _ in rows)]
        require(len({*public_keys}) == len(public_keys), "BadSignature")
        require(all(num(key) < P and num(key) not in LOW_ORDER for key in public_keys), "BadSignature")
        adverts[sender], slots[sender] = message, rows
        senders.append(sender)
    require(senders == sorted(adverts), "Malformed")
    return adverts, slots


def read_answer(message):
    """Sender, slot, and member to kind and opening, of an Unmasking."""
    sender, [slot, count], rows = decode("Unmasking", message, "Malformed")
    members = [member for member, _, _ in rows]
    require(count == len(rows) and members == sorted(set(members)), "Malformed")
    require(all(kind in (1, 2) or (kind == 0 and not any(opening)) for _, kind, opening in rows), "Malformed")
    return sender, slot, {member: (kind, opening) for member, kind, opening in rows}


def merkle_root(leaf, index, size, path):  # RFC 9162, 2.1.3.2; None where the path has another length
    node, last = sha(b"\0" + leaf), size - 1
    for sibling in path:
        if last == 0:
            return None
        if index % 2 or index == last:
            node = sha(b"\1" + sibling + node)
            while index and index % 2 == 0:
                index, last = index // 2, last // 2
        else:
            node = sha(b"\1" + node + sibling)
        index, last = index // 2, last // 2
    return node if last == 0 else None


def liar(charter, evidence):
    """The roster index of who lied. The numbers are the steps of docs/protocol.md."""
    config, context, dealer = evidence["config"], evidence["context"], evidence["dealer"]
    require(all(config[key] == charter[key] for key in ("federation", "charterDigest")), "NotCovered")  # 1
    require(all(config[key] >= charter[key] for key in ("minSurvivors", "maxColluders")), "NotCovered")
    keys = {member["id"]: member["publicKey"] for member in config["members"]}
    require(keys.items() <= charter["roster"].items() and keys.keys() >= {*context["expected"]}, "NotCovered")
    ids, keys, digest = list(keys), [*map(unhex, keys.values())], block_digest(config)
    adverts, slots = read_adverts(config, digest, evidence["adverts"])  # 2
    derived, shareholders = set_up(config, digest, adverts)
    setup, t, slot = derived["setupTranscript"], derived["graph"]["threshold"], context["slot"]
    roots = {item["member"]: unhex(item["root"]) for item in evidence["roots"]}
    require([item["member"] for item in evidence["roots"]] == sorted(roots), "Malformed")
    require(dealer in adverts and dealer in roots, "NotCommitted")  # 3
    signature = unhex(evidence["dealerSignature"])
    require(verifies(keys[dealer], "ShareKeys", setup, roots[dealer], signature), "BadSignature")
    expected = [ids.index(id) for id in context["expected"]]
    transcript = round_transcript(dealt_transcript(setup, roots), context, expected)
    holders, secrets, shares = shareholders[dealer], set(), {}
    for item in evidence["openings"]:  # 4
        answer, part, path = unhex(item["answer"]), unhex(item["part"]["part"]), [*map(unhex, item["part"]["path"])]
        sender, answered_slot, answers = read_answer(answer)
        require(sender in holders and sender not in shares, "NotCommitted")
        require(verifies(keys[sender], "Unmasking", transcript, sha(answer[:-64]), answer[-64:]), "BadSignature")
        kind, opening = answers.get(dealer, (0, b""))
        secret, shares[sender] = 2 - kind, num(opening[:32])
        secrets.add(secret)
        require(answered_slot == slot and kind and len(secrets) == 1, "NotCommitted")
        require(merkle_root(part, holders.index(sender), len(holders), path) == roots[dealer], "NotCommitted")
        require(len(part) == 30 + 160 * config["slots"], "Malformed")
        commitment = H("share commitment", setup, dealer, sender, slot, bytes([secret]), opening)  # 5
        matches = part[2 + 64 * slot + 32 * secret:][:32] == commitment and shares[sender] < ELL
        if evidence["lie"] == "wrong-opening":
            require(not matches, "NoLie")
            return sender
        require(matches, "NotCommitted")
    points = [(holder + 1, share) for holder, share in shares.items()]
    require(evidence["lie"] == "wrong-dealing" and len(points) >= t, "TooFewOpenings")  # 6
    root = le(interpolate(points[:t], 0), 32)
    on_polynomial = all(interpolate(points[:t], x) == y for x, y in points)
    gives_advertised = advertised(digest, dealer, slot, root, root)[secret] == slots[dealer][slot][secret]
    require(not (on_polynomial and gives_advertised), "NoLie")
    return dealer


def judge(charter, evidence):
    try:
        return {"accused": evidence["config"]["members"][liar(charter, evidence)]["id"], "lie": evidence["lie"]}
    except Rejected as fault:
        return {"rejected": str(fault)}


def main(files):
    judged = wrong = 0
    for file in files:
        vector = json.loads(file.read_text(encoding="utf-8"))
        given = [item for r in vector.get("outputs", {}).get("rounds", []) for item in r["outcome"].get("evidence", [])]
        altered = [item | {"evidence": given[item["of"]]["evidence"] | item["changed"]}
                   for item in vector.get("judgements", [])]
        for item in given + altered:
            verdict = judge(vector["inputs"]["floors"], item["evidence"])
            judged += 1
            if verdict != item["verdict"]:
                wrong += 1
                print(f"FAILED {file.stem}: {item.get('description', 'as it is')}: {verdict}, not {item['verdict']}")
    print(f"{judged - wrong} verdicts passed, {wrong} failed")
    return wrong > 0 or judged == 0


if __name__ == "__main__":
    default = Path(__file__).parent.parent / "vectors" / "secagg"
    sys.exit(main([*map(Path, sys.argv[1:])] or sorted(default.glob("*.json"))))
