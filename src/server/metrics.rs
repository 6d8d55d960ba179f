//! What `/metrics` shows: the totals of the transport and of the topics, in Prometheus' text form.

use std::sync::Arc;

use metrics::{counter, gauge, with_local_recorder};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle, PrometheusRecorder};

use super::admission::Admission;
use crate::protocol::{Interaction, Terminal};
use crate::routes::{Class, Service};
use crate::topics::Topics;
use crate::transport::{PauseReason, Totals};
use crate::wire::FrameType;

/// Reads every counter when it is asked to; hot paths know nothing of it.
#[derive(Clone)]
pub(super) struct Metrics {
    recorder: Arc<PrometheusRecorder>,
    handle: PrometheusHandle,
    totals: Arc<Totals>,
    admission: Arc<Admission>,
    topics: Topics,
    service: Arc<Service>,
}

impl Metrics {
    pub(super) fn new(
        totals: &Arc<Totals>,
        admission: &Arc<Admission>,
        topics: Topics,
        service: &Arc<Service>,
    ) -> Self {
        let recorder = PrometheusBuilder::new().build_recorder();
        let handle = recorder.handle();
        Self {
            recorder: Arc::new(recorder),
            handle,
            totals: Arc::clone(totals),
            admission: Arc::clone(admission),
            topics,
            service: Arc::clone(service),
        }
    }

    /// The text that Prometheus reads.
    pub(super) fn render(&self) -> String {
        with_local_recorder(&*self.recorder, || {
            self.record_frames();
            self.record_streams();
            self.record_connections();
            self.record_topics();
            self.record_routes();
        });
        self.handle.render()
    }

    fn record_frames(&self) {
        let directions = [("in", self.totals.frames_in()), ("out", self.totals.frames_out())];
        for (direction, counts) in directions {
            for frame_type in FrameType::ALL {
                let count = counts.get(frame_type.index()).copied().unwrap_or(0);
                let labels = [("direction", direction), ("type", frame_type.name())];
                counter!("tidegate_frames_total", &labels).absolute(count);
            }
        }
    }

    fn record_streams(&self) {
        let requests = self.totals.requests();
        for interaction in Interaction::ALL {
            let name = interaction.name();
            let count = requests.get(interaction.index()).copied().unwrap_or(0);
            counter!("tidegate_requests_total", "interaction" => name).absolute(count);
            for (terminal, count) in Terminal::ALL.into_iter().zip(self.totals.streams(interaction))
            {
                let labels = [("interaction", name), ("signal", terminal.name())];
                counter!("tidegate_streams_total", &labels).absolute(count);
            }
        }
        for (reason, count) in PauseReason::ALL.into_iter().zip(self.totals.pauses()) {
            counter!("tidegate_pauses_total", "reason" => reason.name()).absolute(count);
        }
    }

    fn record_connections(&self) {
        for (name, count) in self.totals.counters() {
            counter!(format!("tidegate_{name}_total")).absolute(count);
        }
        let (full, crowded) = self.admission.refused();
        counter!("tidegate_connections_refused_total", "limit" => "connections_max").absolute(full);
        counter!("tidegate_connections_refused_total", "limit" => "connections_per_address_max")
            .absolute(crowded);
        gauge!("tidegate_connections_open").set(lossy(self.admission.open() as u64));
        gauge!("tidegate_streams_live").set(lossy(self.totals.live_streams()));
    }

    fn record_routes(&self) {
        let totals = self.service.totals();
        for class in Class::ALL {
            let name = class.name();
            counter!("tidegate_route_errors_total", "class" => name)
                .absolute(totals.refused(class));
            counter!("tidegate_fire_and_forget_dropped_total", "class" => name)
                .absolute(totals.dropped(class));
        }
        counter!("tidegate_fire_and_forget_over_rate_total").absolute(totals.shed());
        counter!("tidegate_setups_rejected_total").absolute(totals.setups_rejected());
    }

    fn record_topics(&self) {
        let stats = self.topics.stats();
        gauge!("tidegate_topics_live").set(lossy(stats.topics));
        gauge!("tidegate_subscriptions_live").set(lossy(stats.subscriptions));
        for (name, count) in stats.counters() {
            counter!(format!("tidegate_{name}_total")).absolute(count);
        }
    }
}

/// A gauge is a float; a count above 2^53 would lose its last digits.
#[expect(clippy::cast_precision_loss, reason = "gauges are floats")]
fn lossy(count: u64) -> f64 {
    count as f64
}
