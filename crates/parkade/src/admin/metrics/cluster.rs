//! What is told of the other nodes and the store, where there are several.

use park_core::ClusterMetrics;

use crate::admin::metrics::text::Page;
use crate::cluster::StoreFigures;

/// Writes what the engine and the store's thread have counted.
pub(super) fn told(
    page: &mut Page,
    counted: Option<&ClusterMetrics>,
    store: Option<&StoreFigures>,
) {
    if let Some(of) = counted {
        let joined = ("parkade_cluster_connected", "Whether the nodes' store is reached: 1 or 0.");
        page.gauge(joined, usize::from(of.connected));
        let fenced =
            ("parkade_cluster_fenced", "Whether another instance runs under this node's name.");
        page.gauge(fenced, usize::from(of.fenced));
        page.gauge(("parkade_cluster_nodes", "Nodes that live, this one among them."), of.nodes);
        let elsewhere = ("parkade_cluster_elsewhere", "Calls that are parked at other nodes.");
        page.gauge(elsewhere, of.elsewhere);
        for (name, help, count) in [
            ("parkade_cluster_claims", "Places that the store has given.", of.granted),
            ("parkade_cluster_refused", "Places that other calls had already.", of.refused),
            ("parkade_cluster_displaced", "Parked calls that lost their places.", of.displaced),
            ("parkade_cluster_passed_on", "Retrieves passed on to other nodes.", of.passed_on),
            ("parkade_cluster_vouched", "Retrieves that other nodes vouched for.", of.vouched),
            ("parkade_cluster_forged", "Other nodes' words that were not believed.", of.forged),
        ] {
            page.counter((name, help), count);
        }
    }
    if let Some(of) = store {
        page.counter(("parkade_cluster_commands", "Commands to the store."), of.commands);
        let errors =
            ("parkade_cluster_errors", "Connections to the store that failed or were lost.");
        page.counter(errors, of.failures);
        let age =
            ("parkade_cluster_lease_age_seconds", "How long ago this node's lease was renewed.");
        page.gauges(age, of.lease_age.map(|age| (Vec::new(), age.as_secs_f64())));
    }
}
