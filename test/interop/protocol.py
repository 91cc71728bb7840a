"""docs/protocol.md, read independently: hashes, keys, Merkle tree, graph, shares. Python 3.10 and `cryptography`."""
import hashlib
import hmac
from math import comb

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

ELL = 2**252 + 27742317777372353535851937790883648493
KINDS = ["AdvertiseKeys", "ShareKeys", "MaskedInput", "ConsistencyCheck", "Unmasking"]
sha = lambda data: hashlib.sha256(data).digest()
le = lambda value, size: value.to_bytes(size, "little")
num = lambda data: int.from_bytes(data, "little")
unhex = bytes.fromhex

# --- Fields and labels ---
def F(purpose, *fields):
    parts = [b"chorale/2 secagg " + purpose.encode()]
    parts += [le(f, 4) if isinstance(f, int) else f.encode() if isinstance(f, str) else f for f in fields]
    return b"".join(le(len(p), 4) + p for p in parts)

H = lambda purpose, *fields: sha(F(purpose, *fields))

def hkdf(ikm, salt, info):
    prk = hmac.digest(salt, ikm, "sha256")
    return hmac.digest(prk, info + b"\x01", "sha256")

def dh(private, public):
    return X25519PrivateKey.from_private_bytes(private).exchange(X25519PublicKey.from_public_bytes(public))

def x_public(private):
    return X25519PrivateKey.from_private_bytes(private).public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)

def words(key, count):
    stream = Cipher(algorithms.AES(key), modes.CTR(bytes(16))).encryptor().update(bytes(4 * count))
    return [num(stream[4 * i : 4 * i + 4]) for i in range(count)]

def signed_bytes(kind, transcript, digest):
    return b"chorale/2 secagg signature " + KINDS[kind].encode() + b"\0" + transcript + digest

def sign(seed, kind, transcript, body, digest=None):
    key = Ed25519PrivateKey.from_private_bytes(seed)
    return body + key.sign(signed_bytes(kind, transcript, digest or sha(body)))

def verifies(public, kind, transcript, digest, signature):
    try:
        Ed25519PublicKey.from_public_bytes(public).verify(signature, signed_bytes(kind, transcript, digest))
        return True
    except (InvalidSignature, ValueError):
        return False

header = lambda kind, sender: bytes([2, kind]) + le(sender, 2)

# --- Merkle tree, RFC 9162, 2.1: recursively, as it is defined there ---
def tree(leaves):
    """Root, and for each leaf its path."""
    if len(leaves) == 1:
        return sha(b"\0" + leaves[0]), [[]]
    cut = 1 << ((len(leaves) - 1).bit_length() - 1)
    (left, lpaths), (right, rpaths) = tree(leaves[:cut]), tree(leaves[cut:])
    return sha(b"\1" + left + right), [p + [right] for p in lpaths] + [p + [left] for p in rpaths]

def rooted(leaf, index, size, path):
    if size == 1:
        return sha(b"\0" + leaf) if not path else None
    if not path:
        return None
    cut = 1 << ((size - 1).bit_length() - 1)
    if index < cut:
        below = rooted(leaf, index, cut, path[:-1])
        return below and sha(b"\1" + below + path[-1])
    below = rooted(leaf, index - cut, size - cut, path[:-1])
    return below and sha(b"\1" + path[-1] + below)

# --- The graph ---
def least(N, M, k, weight, strict):
    """The least x with weight * Pr[X(N, M, k) >= x] <= 1, or < 1."""
    total, x, tail = comb(N, k), M + 1, 0
    while x > 0:
        more = tail + comb(M, x - 1) * (comb(N - M, k - x + 1) if k - x + 1 >= 0 else 0)
        if weight * more > total or (strict and weight * more == total):
            return x
        x, tail = x - 1, more
    return x

def plan(n, C, D):
    if max(C, D) > n - 2:
        return None
    for k in range(2, n, 2):
        e, s = least(n - 1, C, k, n * 2**104, False), least(n - 1, D, k, n * 2**20, True)
        c, q = least(n, C, k, n * n * 2**103, False), least(n, D, k, n * n * 2**19, True)
        low, high = -(-(k + e) // 2), k + 1 - s
        if low <= high and c <= k + 1 - q:
            return [k, low, c]
    return None

class Graph:
    def __init__(self, config, members, seed):
        m, C = len(members), config["maxColluders"]
        found = plan(m, C, max(0, m - config["minSurvivors"])) if config["graph"] == "harary" else None
        self.order = sorted(members)
        if found is None:
            self.kind, self.k, self.cut = "complete", m, 0
            self.t = max(-(-2 * m // 3), (m + C) // 2 + 1)
            self.descriptor = f"complete k={m} t={self.t}"
            self.holders = {u: self.order for u in members}
        else:
            self.kind, (self.k, self.t, self.cut) = "harary", found
            stream, used = words(seed, 8 * m + 256), 0
            for j in range(m - 1, 0, -1):
                bound = j + 1
                while stream[used] >= 2**32 // bound * bound:
                    used += 1
                i, used = stream[used] % bound, used + 1
                self.order[i], self.order[j] = self.order[j], self.order[i]
            self.descriptor = f"harary k={self.k} t={self.t} cut={self.cut}"
            steps = [d for d in range(-self.k // 2, self.k // 2 + 1) if d]
            self.holders = {u: sorted(self.order[(at + d) % m] for d in steps) for at, u in enumerate(self.order)}
        self.neighbours = {u: [v for v in held if v != u] for u, held in self.holders.items()}
        self.quorum = (len(self.order) + config["maxColluders"]) // 2 + 1
        self.floor = max(config["minSurvivors"], self.t, self.quorum)

    def survives(self, alive):
        m, h, alive = len(self.order), self.k // 2, set(alive)
        if self.cut == 0:
            return True
        window = [sum(self.order[(i + d) % m] in alive for d in range(h)) for i in range(m)]
        return all(window[i] + window[j] >= self.cut for i in range(m) for j in range(i + h, min(m, i + m - h + 1)))

# --- Shamir ---
def interpolate(points, at):
    value = 0
    for i, (xi, yi) in enumerate(points):
        above = below = 1
        for j, (xj, _) in enumerate(points):
            if i != j:
                above, below = above * (at - xj) % ELL, below * (xi - xj) % ELL
        value += yi * above * pow(below, -1, ELL)
    return value % ELL

def solve(rows):
    """One solution of linear equations modulo l, free unknowns 0; None if there is none."""
    rows, pivots, width = [r[:] for r in rows], [], len(rows[0]) - 1
    for col in range(width):
        top = len(pivots)
        found = next((i for i in range(top, len(rows)) if rows[i][col]), None)
        if found is None:
            continue
        rows[top], rows[found] = rows[found], rows[top]
        inverse = pow(rows[top][col], -1, ELL)
        rows[top] = [v * inverse % ELL for v in rows[top]]
        for i, row in enumerate(rows):
            if i != top and row[col]:
                rows[i] = [(a - row[col] * b) % ELL for a, b in zip(row, rows[top])]
        pivots.append(col)
    if any(row[width] for row in rows[len(pivots):]):
        return None
    answer = [0] * width
    for row, col in zip(rows, pivots):
        answer[col] = row[width]
    return answer

def decode(points, t):
    """Welch and Berlekamp: the value at 0 of the polynomial through at least m - e of the points; e = (m - t) // 2."""
    m, e = len(points), (len(points) - t) // 2
    # Q(x) = y * E(x), E monic of degree e, Q of degree below t + e.
    found = solve([[pow(x, i, ELL) for i in range(t + e)] + [-y * pow(x, i, ELL) % ELL for i in range(e)]
                   + [y * pow(x, e, ELL) % ELL] for x, y in points])
    if found is None:
        return None
    Q, E = found[: t + e], found[t + e :] + [1]
    good = [(x, y) for x, y in points if sum(c * pow(x, i, ELL) for i, c in enumerate(E)) % ELL]
    if len(good) < t:
        return None
    on = sum(interpolate(good[:t], x) == y for x, y in points)
    return interpolate(good[:t], 0) if on >= m - e else None
