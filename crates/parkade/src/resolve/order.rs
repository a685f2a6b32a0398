//! The order in which servers are tried (RFC 2782, "weight").

use base::Chance;

use crate::resolve::names::Srv;

/// By priority; within one priority by chance, the heavier the likelier to come first.
pub(super) fn in_order(mut servers: Vec<Srv>, chance: &mut Chance) -> Vec<Srv> {
    // Weightless servers stand first, so that they are drawn now and then.
    servers.sort_by_key(|s| (s.priority, s.weight != 0));
    let mut ordered = Vec::with_capacity(servers.len());
    while let Some(priority) = servers.first().map(|s| s.priority) {
        let alike = servers.iter().take_while(|s| s.priority == priority);
        let total: u64 = alike.map(|s| u64::from(s.weight)).sum();
        let drawn = chance.below(total + 1);
        let mut sum = 0;
        let at = servers.iter().position(|s| {
            sum += u64::from(s.weight);
            sum >= drawn
        });
        ordered.push(servers.remove(at.unwrap_or(0)));
    }
    ordered
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server(priority: u16, weight: u16, host: &str) -> Srv {
        Srv { priority, weight, port: 5060, host: host.to_owned() }
    }

    #[test]
    fn lower_priorities_come_first_whatever_the_weights() {
        let servers = vec![server(20, 9, "c"), server(10, 0, "a"), server(20, 1, "d")];
        for seed in 0..50 {
            let ordered = in_order(servers.clone(), &mut Chance::from_seed(seed));
            assert_eq!(ordered[0].host, "a");
            assert_eq!(ordered.len(), 3);
        }
    }

    #[test]
    fn heavier_servers_come_first_in_proportion() {
        let servers = vec![server(1, 75, "heavy"), server(1, 25, "light"), server(1, 0, "none")];
        let mut chance = Chance::from_seed(7);
        let first = |_| in_order(servers.clone(), &mut chance)[0].host.clone();
        let firsts: Vec<String> = (0..1000).map(first).collect();
        let count = |host: &str| firsts.iter().filter(|h| *h == host).count();
        assert!((650..850).contains(&count("heavy")), "{}", count("heavy"));
        assert!((150..350).contains(&count("light")), "{}", count("light"));
        assert!(count("none") > 0);
    }
}
