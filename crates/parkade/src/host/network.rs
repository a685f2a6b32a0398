//! What the fast path needs of the host's network.

use std::fs;

use crate::host::fact::Fact;
use crate::media::{
    Dropping, Family, Forwards, Kernel, NoShifter, Shifter, WhyNot, dropping, per_interface,
};

/// All of it where packets go as they are, by nftables.
pub(super) fn network() -> Vec<Fact> {
    let mut facts = vec![table()];
    facts.extend(forwarding());
    facts.extend(firewalls());
    facts.extend([redirects(), way_back()]);
    facts
}

/// All of it where they go in one stream, by a program: what else the network is set to does not matter.
pub(super) fn program() -> Vec<Fact> {
    const ABOUT: &str = "BPF";
    let can = match Shifter::try_out() {
        Ok(()) => Fact::fine(
            ABOUT,
            "the kernel takes Parkade's program from this user; calls with a PBX or a phone on this machine \
             are relayed by Parkade itself",
        ),
        Err(why @ NoShifter::NotAllowed) => Fact::missing(
            ABOUT,
            format!(
                "{why} (with systemd deploy/one-ssrc.conf, in a container --cap-add BPF --cap-add NET_ADMIN)"
            ),
        ),
        Err(why) => Fact::missing(ABOUT, why.to_string()),
    };
    vec![can]
}

fn table() -> Fact {
    const ABOUT: &str = "nftables";
    match Kernel::try_out() {
        Ok(()) => Fact::fine(ABOUT, "the kernel takes Parkade's table from this user"),
        Err(WhyNot::NotAllowed) => Fact::missing(
            ABOUT,
            "this user may not change the network; the service needs CAP_NET_ADMIN (with systemd \
             deploy/fast-path.conf, in a container --cap-add NET_ADMIN)",
        ),
        Err(why) => Fact::missing(ABOUT, why.to_string()),
    }
}

fn forwarding() -> Vec<Fact> {
    let read = Family::ALL.map(Forwards::read);
    let none = !read.iter().any(Forwards::at_all);
    let words = [
        ("IPv4", "forwarding IPv4", "net.ipv4.ip_forward = 1"),
        ("IPv6", "forwarding IPv6", "net.ipv6.conf.all.forwarding = 1"),
    ];
    let one = |(forwards, (version, about, sysctl)): (&Forwards, _)| match forwards {
        Forwards::All => Fact::fine(about, "on"),
        Forwards::Some(names) => {
            Fact::look(about, format!("on for what comes in by {} only", names.join(", ")))
        }
        Forwards::None if none => Fact::missing(about, format!("off; set {sysctl}")),
        Forwards::None => Fact::look(
            about,
            format!("off: Parkade relays calls over {version} itself; else set {sysctl}"),
        ),
        Forwards::Unknown => {
            Fact::look(about, format!("/proc/sys cannot be read; it takes {sysctl}"))
        }
    };
    read.iter().zip(words).map(one).collect()
}

fn firewalls() -> Vec<Fact> {
    const ABOUT: &str = "firewall";
    let mut facts = match dropping() {
        Err(error) => vec![Fact::look(ABOUT, format!("its chains cannot be read: {error}"))],
        Ok(chains) if chains.is_empty() => {
            vec![Fact::fine(ABOUT, "no nftables chain drops by default what is forwarded")]
        }
        Ok(chains) => chains.iter().map(|chain| Fact::look(ABOUT, drops(chain))).collect(),
    };
    let legacy = [("ip_tables_names", "iptables"), ("ip6_tables_names", "ip6tables")];
    for (file, tool) in legacy {
        let tables = fs::read_to_string(format!("/proc/net/{file}")).unwrap_or_default();
        if tables.lines().any(|table| table == "filter") {
            let says = format!(
                "{tool} (legacy) has a table filter, which is not seen here; look at {tool}-legacy \
                 -S FORWARD"
            );
            facts.push(Fact::look(ABOUT, says));
        }
    }
    facts
}

fn drops(Dropping { table, chain }: &Dropping) -> String {
    let own = match chain.as_str() {
        // What Docker says shall be used for rules of one's own.
        "FORWARD" => format!(
            "iptables -I FORWARD -m conntrack --ctstate UNTRACKED -p udp -j ACCEPT (with Docker into \
             DOCKER-USER); for nft it is {table}"
        ),
        _ => format!("nft insert rule {table} {chain} ct state untracked meta l4proto udp accept"),
    };
    format!("{table}, chain {chain} drops what no rule of it accepts; unless one does: {own}")
}

/// Between two that are on one side the host tells the sender that there is a shorter way.
fn redirects() -> Fact {
    const ABOUT: &str = "redirects";
    // That of an interface is enough, and so is that of all.
    let on = at_one(Family::V4, "send_redirects");
    if on.is_empty() {
        return Fact::fine(ABOUT, "none are sent");
    }
    let says = format!(
        "sent over IPv4 ({}): of no use where phones and PBX are on one side; set \
         net.ipv4.conf.all.send_redirects = 0, and so for each interface",
        on.join(", ")
    );
    Fact::look(ABOUT, says)
}

fn way_back() -> Fact {
    const ABOUT: &str = "rp_filter";
    let strict = at_one(Family::V4, "rp_filter");
    if strict.is_empty() {
        return Fact::fine(ABOUT, "not strict");
    }
    let says = format!(
        "strict ({}): what comes in where no way back leads is dropped, fast path or not",
        strict.join(", ")
    );
    Fact::look(ABOUT, says)
}

/// The interfaces on which a setting is 1, `all` among them.
fn at_one(family: Family, setting: &str) -> Vec<String> {
    let each = per_interface(family, setting).into_iter();
    let on = each.filter(|(name, value)| value == "1" && name != "default" && name != "lo");
    on.map(|(name, _)| name).collect()
}
