"""docs/protocol.md: what follows from signed messages alone, for whoever looks at them, and who lied."""
from protocol import *


class Advert:
    def __init__(self, message):
        self.message, self.sender, self.key = message, num(message[2:4]), message[5:37]
        self.slots = [(message[i : i + 32], message[i + 32 : i + 64]) for i in range(37, len(message) - 64, 64)]

P = 2**255 - 19
LOW = {0, 1, P - 1, 325606250916557431795983626356110631294008115727848805560023387167927233504,
       39382357235489614581723060781553021112529911719440698176882885853963445705823}

def acceptable(config, digest, message):
    S = config["slots"]
    if len(message) != 101 + 64 * S or message[:2] != bytes([2, 0]) or message[4] != S:
        return False
    advert = Advert(message)
    if advert.sender >= len(config["members"]):
        return False
    public = unhex(config["members"][advert.sender]["publicKey"])
    keys = [advert.key] + [mask for mask, _ in advert.slots]
    return (verifies(public, 0, digest, sha(message[:-64]), message[-64:])
            and all(num(k) < P and num(k) not in LOW for k in keys) and len(set(keys)) == len(keys))

def block_digest(c):
    members = [f for m in c["members"] for f in (m["id"], unhex(m["publicKey"]))]
    return H("block", c["protocolVersion"], c["federation"], unhex(c["charterDigest"]), c["block"], c["slots"],
             c["minSurvivors"], c["maxColluders"], c["graph"], len(c["members"]), *members)

def set_up(config, digest, adverts):
    """adverts: by roster index, ascending. Gives adverts digest, permutation seed, graph, setup transcript."""
    signed = H("adverts", digest, len(adverts), *[a.message for a in adverts.values()])
    seed = H("graph permutation", signed)
    graph = Graph(config, list(adverts), seed)
    return signed, seed, graph, H("setup transcript", signed, graph.descriptor)

def dealt_transcript(setup, roots):
    return H("dealt transcript", setup, len(roots), *[f for pair in roots.items() for f in pair])

def round_transcript(dealt, c, expected):
    return H("round transcript", dealt, c["slot"], c["round"], c["attempt"], unhex(c["queryDigest"]),
             unhex(c["modelDigest"]), c["dimension"], c["modulusBits"], len(expected), *expected)

def committed(part, setup, dealer, holder, slot, which, opening):
    """Whether an opening is canonical and what its dealer committed to in the part; which: 0 mask, 1 seed."""
    at = 2 + 64 * slot + 32 * which
    commitment = H("share commitment", setup, dealer, holder, slot, bytes([which]), opening)
    return num(opening[:32]) < ELL and part[at : at + 32] == commitment

def gives(digest, advert, slot, which, root):
    if which:
        return H("seed commitment", digest, advert.sender, slot, root) == advert.slots[slot][1]
    private = hkdf(root, digest, F("mask private key", advert.sender, slot))
    return x_public(private) == advert.slots[slot][0]

def answers_of(message):
    """member -> (kind, opening) of an Unmasking; None if it is malformed."""
    body = message[:-64]
    if len(message) < 71 or body[:2] != bytes([2, 4]) or len(body) != 7 + 51 * num(body[5:7]):
        return None
    items = [body[i : i + 51] for i in range(7, len(body), 51)]
    members = [num(i[:2]) for i in items]
    if members != sorted(set(members)) or any(i[2] > 2 or (i[2] == 0 and any(i[3:])) for i in items):
        return None
    return {num(i[:2]): (i[2], i[3:]) for i in items}


# --- Evidence ---
class Rejected(Exception):
    pass


def judge(floors, evidence):
    """Who lied, or the fault of the evidence."""
    try:
        return {"accused": verdict(floors, evidence), "lie": evidence["lie"]}
    except Rejected as fault:
        return {"rejected": str(fault)}


def require(condition, fault):
    if not condition:
        raise Rejected(fault)


def verdict(floors, e):
    config, context, dealer = e["config"], e["context"], e["dealer"]
    # 1
    require(all(config[k] == floors[k] for k in ("federation", "charterDigest")), "NotCovered")
    require(all(config[k] >= floors[k] for k in ("minSurvivors", "maxColluders")), "NotCovered")
    require(all(floors["roster"].get(m["id"]) == m["publicKey"] for m in config["members"]), "NotCovered")
    # 2
    digest, public = block_digest(config), [unhex(m["publicKey"]) for m in config["members"]]
    messages = [unhex(a) for a in e["adverts"]]
    require(all(acceptable(config, digest, a) for a in messages), "BadSignature")
    adverts = dict(sorted((a.sender, a) for a in map(Advert, messages)))
    _, _, graph, setup = set_up(config, digest, adverts)
    # 3
    roots = {r["member"]: unhex(r["root"]) for r in e["roots"]}
    require(dealer in adverts and dealer in roots, "NotCommitted")
    require(verifies(public[dealer], 1, setup, roots[dealer], unhex(e["dealerSignature"])), "BadSignature")
    # 4
    ids = [m["id"] for m in config["members"]]
    expected = [ids.index(id) for id in context["expected"]]
    transcript = round_transcript(dealt_transcript(setup, roots), context, expected)
    holders, slot, which, points, seen = graph.holders[dealer], context["slot"], None, [], set()
    for item in e["openings"]:
        message, part = unhex(item["answer"]), unhex(item["part"]["part"])
        answers = answers_of(message)
        require(answers is not None, "Malformed")
        responder = num(message[2:4])
        require(responder in holders and responder not in seen, "NotCommitted")
        seen.add(responder)
        require(verifies(public[responder], 4, transcript, sha(message[:-64]), message[-64:]), "BadSignature")
        kind, opening = answers.get(dealer, (0, b""))
        require(message[4] == slot and kind, "NotCommitted")
        require(which in (None, 2 - kind), "NotCommitted")
        which = 2 - kind
        path = [unhex(h) for h in item["part"]["path"]]
        root = rooted(part, holders.index(responder), len(holders), path)
        require(root == roots[dealer], "NotCommitted")
        # 5
        matches = committed(part, setup, dealer, responder, slot, which, opening)
        if e["lie"] == "wrong-opening":
            require(not matches, "NoLie")
            return ids[responder]
        require(matches, "NotCommitted")
        points.append((responder + 1, num(opening[:32])))
    # 6
    t = graph.t
    require(len(points) >= t, "TooFewOpenings")
    consistent = all(interpolate(points[:t], x) == y for x, y in points[t:])
    fits = gives(digest, adverts[dealer], slot, which, le(interpolate(points[:t], 0), 32))
    require(not (consistent and fits), "NoLie")
    return ids[dealer]
