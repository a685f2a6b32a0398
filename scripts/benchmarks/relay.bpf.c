// What `scripts/bench relay --bpf` weighs: forwarding in the kernel that makes one unbroken RTP stream of whatever it
// forwards. A packet whose two ends are in the map gets new ends, and if it is RTP, its SSRC, sequence number and
// timestamp are moved by so much; then it goes out on the other side. All else is left to the host.
//
// It attaches to the ingress of both interfaces. IPv4 without options only; a prototype, for its cost.

#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/pkt_cls.h>
#include <linux/udp.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

// All in network order, as in the packet.
struct ends {
    __be32 from, to;
    __be16 from_port, to_port;
};

// What is to be changed. The numbers to be added are in the host's order.
struct way {
    struct ends ends;
    __u32 interface;
    __u32 ssrc, timestamp;
    __u16 sequence;
    __u16 is_rtp;
    __u64 packets;
};

struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(max_entries, 16384);
    __type(key, struct ends);
    __type(value, struct way);
} ways SEC(".maps");

// The part of an RTP header that changes: the second half of its first word, and the next two.
struct rtp {
    __be16 flags, sequence;
    __be32 timestamp, ssrc;
};

struct headers {
    struct ethhdr ethernet;
    struct iphdr ip;
    struct udphdr udp;
} __attribute__((packed));

#define UDP_CHECK (sizeof(struct ethhdr) + sizeof(struct iphdr) + __builtin_offsetof(struct udphdr, check))
#define IP_CHECK (sizeof(struct ethhdr) + __builtin_offsetof(struct iphdr, check))

SEC("tc")
int relay(struct __sk_buff *skb)
{
    struct headers *packet = (void *)(long)skb->data;
    void *end = (void *)(long)skb->data_end;

    if ((void *)(packet + 1) > end) {
        if (bpf_skb_pull_data(skb, sizeof(struct headers) + sizeof(struct rtp)))
            return TC_ACT_OK;
        packet = (void *)(long)skb->data;
        end = (void *)(long)skb->data_end;
        if ((void *)(packet + 1) > end)
            return TC_ACT_OK;
    }
    // No fragments: only their first has ports.
    if (packet->ethernet.h_proto != bpf_htons(ETH_P_IP) || packet->ip.protocol != IPPROTO_UDP || packet->ip.ihl != 5 ||
        packet->ip.frag_off & bpf_htons(0x3fff) || packet->ip.ttl <= 1)
        return TC_ACT_OK;

    struct ends was = {packet->ip.saddr, packet->ip.daddr, packet->udp.source, packet->udp.dest};
    struct way *way = bpf_map_lookup_elem(&ways, &was);
    if (!way)
        return TC_ACT_OK;

    // What is changed of addresses counts in both checksums, of all else in UDP's alone.
    struct {
        __be32 from, to;
    } old_addresses = {was.from, was.to}, new_addresses = {way->ends.from, way->ends.to};
    struct {
        __be16 from, to;
        struct rtp rtp;
    } before = {was.from_port, was.to_port}, after = {way->ends.from_port, way->ends.to_port};
    __u32 length = 4;

    if (way->is_rtp) {
        struct rtp *rtp = (void *)(packet + 1);
        if ((void *)(rtp + 1) > end)
            return TC_ACT_OK;
        before.rtp = after.rtp = *rtp;
        after.rtp.sequence = bpf_htons(bpf_ntohs(rtp->sequence) + way->sequence);
        after.rtp.timestamp = bpf_htonl(bpf_ntohl(rtp->timestamp) + way->timestamp);
        after.rtp.ssrc = bpf_htonl(bpf_ntohl(rtp->ssrc) + way->ssrc);
        *rtp = after.rtp;
        length = sizeof(before);
    }
    __be16 old_life = *(__be16 *)&packet->ip.ttl, has_check = packet->udp.check;
    packet->ip.ttl--;
    __be16 new_life = *(__be16 *)&packet->ip.ttl;
    packet->ip.saddr = way->ends.from;
    packet->ip.daddr = way->ends.to;
    packet->udp.source = way->ends.from_port;
    packet->udp.dest = way->ends.to_port;

    __s64 of_addresses = bpf_csum_diff((void *)&old_addresses, 8, (void *)&new_addresses, 8, 0);
    bpf_l3_csum_replace(skb, IP_CHECK, old_life, new_life, 2);
    bpf_l3_csum_replace(skb, IP_CHECK, 0, of_addresses, 0);
    // A sender that leaves it out, leaves it out.
    if (has_check) {
        __s64 of_the_rest = bpf_csum_diff((void *)&before, length, (void *)&after, length, 0);
        bpf_l4_csum_replace(skb, UDP_CHECK, 0, of_addresses, BPF_F_PSEUDO_HDR | BPF_F_MARK_MANGLED_0);
        bpf_l4_csum_replace(skb, UDP_CHECK, 0, of_the_rest, BPF_F_MARK_MANGLED_0);
    }
    __sync_fetch_and_add(&way->packets, 1);
    return bpf_redirect_neigh(way->interface, 0, 0, 0);
}

char terms[] SEC("license") = "MIT";
