// Forwards the packets of calls at the ingress of an interface, and moves their RTP to where the far side's stream is: SSRC,
// sequence number and timestamp. A packet whose two ends are in the map gets new ends and goes out on another interface, or
// back out on this one. All else, and whatever is out of the ordinary about a packet, is left to the host.
//
// Only clang is needed to build it: what it takes of the kernel's interface is declared here (linux/bpf.h, which does not
// change). slots.rs has the other view of `struct way`.

typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long long u64;
typedef long long s64;

#define SEC(name) __attribute__((section(name), used))
#define INLINE static inline __attribute__((always_inline))

#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define NET16(value) __builtin_bswap16(value)
#define NET32(value) __builtin_bswap32(value)
#else
#define NET16(value) (value)
#define NET32(value) (value)
#endif

// The packet, as linux/bpf.h shows it.
struct __sk_buff {
    u32 len, pkt_type, mark, queue_mapping, protocol, vlan_present, vlan_tci, vlan_proto, priority;
    u32 ingress_ifindex, ifindex, tc_index, cb[5], hash, tc_classid, data, data_end, napi_id;
    u32 family, remote_ip4, local_ip4, remote_ip6[4], local_ip6[4], remote_port, local_port, data_meta;
    u64 flow_keys, tstamp;
    u32 wire_len, gso_segs;
    u64 sk;
    u32 gso_size;
};

static void *(*const map_lookup)(void *map, const void *key) = (void *)1;
static u64 (*const ktime_get_ns)(void) = (void *)5;
static long (*const l3_csum_replace)(struct __sk_buff *, u32 offset, u64 from, u64 to, u64 size) = (void *)10;
static long (*const l4_csum_replace)(struct __sk_buff *, u32 offset, u64 from, u64 to, u64 flags) = (void *)11;
static s64 (*const csum_diff)(const void *from, u32 from_size, const void *to, u32 to_size, u32 seed) = (void *)28;
static long (*const skb_pull_data)(struct __sk_buff *, u32 len) = (void *)39;
static long (*const redirect_neigh)(u32 interface, void *next_hop, int len, u64 flags) = (void *)152;

#define PSEUDO_HDR (1 << 4)
#define MARK_MANGLED_0 (1 << 5)

// What else is attached to the interface has its turn, then the host.
#define NEXT -1

#define ETHERNET 14
#define IPV4 NET16(0x0800)
#define IPV6 NET16(0x86dd)
#define UDP 17

struct ip4 {
    u8 version_and_length, tos;
    u16 length, id, fragment;
    u8 life, protocol;
    u16 check;
    u32 from, to;
};

struct ip6 {
    u32 version_class_label;
    u16 length;
    u8 protocol, life;
    u32 from[4], to[4];
};

struct udp {
    u16 from, to, length, check;
};

// The part of an RTP header that every packet has (RFC 3550 section 5.1).
struct rtp {
    u8 version_and_flags, marker_and_type;
    u16 sequence;
    u32 timestamp, ssrc;
};

// From whom, to which address of ours: as keys.rs writes it, each port filled up to four bytes.
struct key4 {
    u32 from, to;
    u16 from_port, pad, to_port, pad_too;
};

struct key6 {
    u32 from[4], to[4];
    u16 from_port, pad, to_port, pad_too;
};

// One way. The first half is written before the way is open, and only read here; addresses, ports and SSRCs are as in
// packets, all other numbers as the host has them.
struct way {
    u32 by[4], to[4]; // of an IPv4 address only the first
    u16 by_port, to_port;
    u16 from_port, at_port; // those of its key
    u32 interface;
    u32 from_ssrc, to_ssrc;
    u32 timestamp; // to be added
    u16 sequence;  // to be added
    u16 ahead, behind;
    u16 is_rtp;
    // How many packets were taken on, and CLOSED, how many have been done with, and their bytes.
    u64 taken, done, bytes;
    // When the newest timestamp that has gone out first did, in nanoseconds, …
    u64 at;
    // … what it is, and the newest sequence number that has come.
    u32 last;
    u16 newest;
    u16 mtu; // what goes out on that interface in one piece; written before the way is open
    u64 unused[3];
};

#define CLOSED (1ull << 63)

#define FIELD(name, value) int(*name)[value]

#define HASH 1
#define ARRAY 2
#define NO_PREALLOC 1
#define MMAPABLE 1024

// Which way; the sizes are set when it is loaded.
struct {
    FIELD(type, HASH);
    FIELD(max_entries, 16);
    FIELD(map_flags, NO_PREALLOC);
    struct key4 *key;
    u32 *value;
} ways4 SEC(".maps");

struct {
    FIELD(type, HASH);
    FIELD(max_entries, 16);
    FIELD(map_flags, NO_PREALLOC);
    struct key6 *key;
    u32 *value;
} ways6 SEC(".maps");

struct {
    FIELD(type, ARRAY);
    FIELD(max_entries, 16);
    FIELD(map_flags, MMAPABLE);
    u32 *key;
    struct way *value;
} slots SEC(".maps");

// What of a packet changes and counts in the UDP checksum, but for addresses.
struct changing {
    u16 from_port, to_port;
    u16 sequence, pad;
    u32 timestamp, ssrc;
};

// The way with that key, if there is one. An element that has just been removed may be another's by now.
INLINE struct way *way_of(void *ways, const void *key, const struct udp *udp)
{
    u32 *number = map_lookup(ways, key);
    if (!number)
        return 0;
    u32 slot = *number;
    struct way *way = map_lookup(&slots, &slot);
    if (!way || way->from_port != udp->from || way->at_port != udp->to)
        return 0;
    return way;
}

// Whether RTP goes on from where its source was: version 2, not RTCP (RFC 5761 section 4), of the same SSRC, near the newest.
INLINE int fits(const struct way *way, const struct udp *udp, const struct rtp *rtp)
{
    u16 sequence = NET16(rtp->sequence), ahead = sequence - way->newest, behind = way->newest - sequence;
    u8 type = rtp->marker_and_type & 0x7f;

    return NET16(udp->length) >= sizeof(*udp) + sizeof(*rtp) && rtp->version_and_flags >> 6 == 2 && (type < 64 || type > 95) &&
           rtp->ssrc == way->from_ssrc && (ahead <= way->ahead || behind <= way->behind);
}

// Whether that way takes this packet on: it goes out in one piece, its RTP fits if it must, and the way is open. `is_rtp` is
// read only once: what has been looked at here holds for what is written then.
INLINE int takes(struct way *way, u32 length, const struct udp *udp, const struct rtp *rtp, const void *end, u16 *is_rtp)
{
    if (length > way->mtu)
        return 0;
    *is_rtp = way->is_rtp;
    if (*is_rtp && ((const void *)(rtp + 1) > end || !fits(way, udp, rtp)))
        return 0;
    return !(__sync_fetch_and_add(&way->taken, 1) & CLOSED);
}

// Writes the ports, and RTP if it is that. What was and what is are told for the checksum.
INLINE void rewrite(struct way *way, struct udp *udp, struct rtp *rtp, u16 is_rtp, struct changing *was, struct changing *is)
{
    was->from_port = udp->from;
    was->to_port = udp->to;
    udp->from = is->from_port = way->by_port;
    udp->to = is->to_port = way->to_port;
    if (!is_rtp)
        return;
    u16 sequence = NET16(rtp->sequence), ahead = sequence - way->newest;
    u32 timestamp = NET32(rtp->timestamp) + way->timestamp;

    was->sequence = rtp->sequence;
    was->timestamp = rtp->timestamp;
    was->ssrc = rtp->ssrc;
    rtp->sequence = is->sequence = NET16((u16)(sequence + way->sequence));
    rtp->timestamp = is->timestamp = NET32(timestamp);
    rtp->ssrc = is->ssrc = way->to_ssrc;
    if (ahead <= way->ahead) {
        u32 later = timestamp - way->last;

        way->newest = sequence;
        // One that stands still keeps the time at which it began.
        if (later && later < 1u << 31) {
            way->last = timestamp;
            way->at = ktime_get_ns();
        }
    }
}

// Mends the checksum of UDP. Who leaves it out, leaves it out.
INLINE void mend(struct __sk_buff *skb, u32 offset, s64 addresses, struct changing *was, struct changing *is)
{
    s64 others = csum_diff(was, sizeof(*was), is, sizeof(*is), 0);

    l4_csum_replace(skb, offset, 0, addresses, PSEUDO_HDR | MARK_MANGLED_0);
    l4_csum_replace(skb, offset, 0, others, MARK_MANGLED_0);
}

INLINE int send(struct way *way, u32 bytes)
{
    __sync_fetch_and_add(&way->bytes, bytes);
    // That its result is looked at keeps it behind all that was written before.
    if (__sync_fetch_and_add(&way->done, 1) >= CLOSED)
        return NEXT;
    return redirect_neigh(way->interface, 0, 0, 0);
}

INLINE int over_ipv4(struct __sk_buff *skb, void *packet, void *end)
{
    struct ip4 *ip = packet;
    struct udp *udp = (void *)(ip + 1);
    struct rtp *rtp = (void *)(udp + 1);

    // No options. No fragments: only their first has ports.
    if ((void *)(udp + 1) > end || ip->version_and_length != 0x45 || ip->protocol != UDP || ip->fragment & NET16(0x3fff) ||
        ip->life <= 1)
        return NEXT;
    struct key4 key = {ip->from, ip->to, udp->from, 0, udp->to, 0};
    struct way *way = way_of(&ways4, &key, udp);
    u32 length = NET16(ip->length);
    u16 is_rtp;
    if (!way || !takes(way, length, udp, rtp, end, &is_rtp))
        return NEXT;

    // What counts in its own checksum; the addresses count in that of UDP too.
    struct {
        u32 from, to, life;
    } old = {ip->from, ip->to, *(u16 *)&ip->life}, new = {way->by[0], way->to[0], 0};
    struct changing was = {}, is = {};

    rewrite(way, udp, rtp, is_rtp, &was, &is);
    ip->from = new.from;
    ip->to = new.to;
    ip->life--;
    new.life = *(u16 *)&ip->life;
    s64 addresses = csum_diff(&old, 8, &new, 8, 0), all = csum_diff(&old, sizeof(old), &new, sizeof(new), 0);
    l3_csum_replace(skb, ETHERNET + __builtin_offsetof(struct ip4, check), 0, all, 0);
    mend(skb, ETHERNET + sizeof(*ip) + __builtin_offsetof(struct udp, check), addresses, &was, &is);
    return send(way, length);
}

INLINE int over_ipv6(struct __sk_buff *skb, void *packet, void *end)
{
    struct ip6 *ip = packet;
    struct udp *udp = (void *)(ip + 1);
    struct rtp *rtp = (void *)(udp + 1);

    // Fragments have another header first. Without a checksum there is no UDP over IPv6 (RFC 8200 section 8.1).
    if ((void *)(udp + 1) > end || ip->protocol != UDP || ip->life <= 1 || !udp->check)
        return NEXT;
    struct key6 key = {};
    __builtin_memcpy(key.from, ip->from, sizeof(key.from) + sizeof(key.to));
    key.from_port = udp->from;
    key.to_port = udp->to;
    struct way *way = way_of(&ways6, &key, udp);
    u32 length = NET16(ip->length) + sizeof(*ip);
    u16 is_rtp;
    if (!way || !takes(way, length, udp, rtp, end, &is_rtp))
        return NEXT;

    struct changing was = {}, is = {};

    rewrite(way, udp, rtp, is_rtp, &was, &is);
    __builtin_memcpy(ip->from, way->by, sizeof(way->by) + sizeof(way->to));
    ip->life--;
    s64 addresses = csum_diff(key.from, 32, way->by, 32, 0);
    mend(skb, ETHERNET + sizeof(*ip) + __builtin_offsetof(struct udp, check), addresses, &was, &is);
    return send(way, length);
}

// All that is looked at must lie in one piece, if there is so much of it.
INLINE void gather(struct __sk_buff *skb, u32 needed)
{
    if ((void *)(long)skb->data + needed > (void *)(long)skb->data_end)
        skb_pull_data(skb, needed < skb->len ? needed : skb->len);
}

SEC("classifier")
int shift(struct __sk_buff *skb)
{
    // What the host has joined to one, or what has come on another network of this cable, is not looked at.
    if (skb->gso_size || skb->vlan_present)
        return NEXT;
    if (skb->protocol == IPV4) {
        gather(skb, ETHERNET + sizeof(struct ip4) + sizeof(struct udp) + sizeof(struct rtp));
        return over_ipv4(skb, (void *)(long)skb->data + ETHERNET, (void *)(long)skb->data_end);
    }
    if (skb->protocol == IPV6) {
        gather(skb, ETHERNET + sizeof(struct ip6) + sizeof(struct udp) + sizeof(struct rtp));
        return over_ipv6(skb, (void *)(long)skb->data + ETHERNET, (void *)(long)skb->data_end);
    }
    return NEXT;
}

char terms[] SEC("license") = "MIT";
