//! Metrics as text (OpenMetrics 1.0).

use std::fmt;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, MetricEncoder, NoLabelSet};
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::Registry;

use crate::admin::metrics::histogram::Histogram;

/// The kind of text.
pub(in crate::admin) const CONTENT_TYPE: &str =
    "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// What one line of a metric says.
#[derive(Debug)]
enum Value {
    Counter(u64),
    Seconds(f64),
    Gauge(f64),
    Histogram(Histogram),
}

impl Value {
    fn write(&self, line: &mut MetricEncoder<'_>) -> Result<(), fmt::Error> {
        match self {
            Value::Counter(value) => line.encode_counter::<NoLabelSet, _, f64>(value, None),
            Value::Seconds(value) => line.encode_counter::<NoLabelSet, _, f64>(value, None),
            Value::Gauge(value) => line.encode_gauge(value),
            Value::Histogram(value) => {
                let (sum, count) = (value.sum(), value.count());
                line.encode_histogram::<NoLabelSet>(sum, count, &value.buckets(), None)
            }
        }
    }
}

/// One metric: its name, what it means, and its values by labels.
#[derive(Debug)]
struct Family {
    name: &'static str,
    help: &'static str,
    kind: MetricType,
    values: Vec<(Vec<(&'static str, String)>, Value)>,
}

/// All metrics at one moment.
#[derive(Debug, Default)]
pub(super) struct Page(Vec<Family>);

/// Labels and their values.
pub(super) type Labels = Vec<(&'static str, String)>;

impl Page {
    fn add(
        &mut self,
        (name, help): (&'static str, &'static str),
        kind: MetricType,
        values: impl IntoIterator<Item = (Labels, Value)>,
    ) {
        self.0.push(Family { name, help, kind, values: values.into_iter().collect() });
    }

    /// Something that only grows; its name has no `_total`, which the text adds.
    pub(super) fn counters(
        &mut self,
        what: (&'static str, &'static str),
        values: impl IntoIterator<Item = (Labels, u64)>,
    ) {
        let values = values.into_iter().map(|(labels, value)| (labels, Value::Counter(value)));
        self.add(what, MetricType::Counter, values);
    }

    /// The same without labels.
    pub(super) fn counter(&mut self, what: (&'static str, &'static str), value: u64) {
        self.counters(what, [(Vec::new(), value)]);
    }

    /// Time that only grows, in seconds.
    pub(super) fn seconds(&mut self, what: (&'static str, &'static str), value: f64) {
        self.add(what, MetricType::Counter, [(Vec::new(), Value::Seconds(value))]);
    }

    /// Something that comes and goes.
    pub(super) fn gauges(
        &mut self,
        what: (&'static str, &'static str),
        values: impl IntoIterator<Item = (Labels, f64)>,
    ) {
        let values = values.into_iter().map(|(labels, value)| (labels, Value::Gauge(value)));
        self.add(what, MetricType::Gauge, values);
    }

    /// The same without labels.
    pub(super) fn gauge(&mut self, what: (&'static str, &'static str), value: usize) {
        self.gauges(what, [(Vec::new(), value as f64)]);
    }

    /// How often something was how large.
    pub(super) fn histogram(&mut self, what: (&'static str, &'static str), value: &Histogram) {
        let value = Value::Histogram(value.clone());
        self.add(what, MetricType::Histogram, [(Vec::new(), value)]);
    }

    /// All of it as text.
    ///
    /// # Errors
    /// Never: it is written to memory.
    pub(super) fn text(self) -> Result<String, fmt::Error> {
        let mut registry = Registry::default();
        registry.register_collector(Box::new(self));
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &registry)?;
        Ok(text)
    }
}

impl Collector for Page {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        for family in &self.0 {
            let mut lines =
                encoder.encode_descriptor(family.name, family.help, None, family.kind)?;
            for (labels, value) in &family.values {
                let labels: Vec<(&str, &str)> =
                    labels.iter().map(|(name, value)| (*name, value.as_str())).collect();
                let labels = labels.as_slice();
                // A line without labels has no brackets.
                if labels.is_empty() {
                    value.write(&mut lines)?;
                } else {
                    value.write(&mut lines.encode_family(&labels)?)?;
                }
            }
        }
        Ok(())
    }
}
