//! Puts the layers together and runs them until a signal.

use std::io;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;

use super::admission::Admission;
use super::config::Config;
use super::http::App;
use super::listener::{Shared, serve_http, serve_tcp};
use super::metrics::Metrics;
use super::origin::OriginPolicy;
use super::shutdown::{Shutdown, Signals};
use super::startup::Prepared;
use crate::engine::TallyLimits;
use crate::protocol::{LeaseGrant, Limits};
use crate::routes::{Open, Service, ServiceLimits, router};
use crate::topics::{Topics, TopicsConfig};
use crate::transport::{Options, TcpOptions, Totals};

/// After the drain's deadline, connections have this long to take their last frame and leave.
const GRACE: Duration = Duration::from_secs(3);

/// Runs the server on a runtime of its own until it was told to stop and has drained.
pub(super) fn serve(prepared: Prepared) -> ExitCode {
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return failed("start threads", &error),
    };
    match runtime.block_on(run(prepared)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => failed("serve", &error),
    }
}

fn failed(what: &str, error: &io::Error) -> ExitCode {
    eprintln!("tidegate: cannot {what}: {error}");
    ExitCode::from(2)
}

async fn run(prepared: Prepared) -> io::Result<()> {
    let Prepared { loaded, listeners, data_dir } = prepared;
    let config = &loaded.config;
    let mut signals = Signals::listen()?;
    let topics = Topics::start(topics_config(config)).map_err(io::Error::other)?;
    let totals = Arc::new(Totals::default());
    let limits = &config.limits;
    let admission = Admission::new(limits.connections_max, limits.connections_per_address_max);
    let service = service(config, &topics)?;
    let metrics = Metrics::new(&totals, &admission, topics, &service);
    let shared = shared(config, &totals, &admission, service);

    let tcp = TcpListener::from_std(listeners.tcp)?;
    let http = TcpListener::from_std(listeners.http)?;
    let (tcp_address, http_address) = (tcp.local_addr()?, http.local_addr()?);
    let origins = OriginPolicy::new(config.http.allowed_origins.clone(), http_address);
    let app = App {
        rsocket: true,
        metrics: listeners.admin.is_none().then(|| metrics.clone()),
        origins: Arc::new(origins),
        header_timeout: limits.setup_ms.duration(),
    };
    if let Some(admin) = listeners.admin {
        let admin = TcpListener::from_std(admin)?;
        tracing::info!(address = %admin.local_addr()?, "serving metrics");
        let app = App { rsocket: false, metrics: Some(metrics), ..app.clone() };
        tokio::spawn(serve_http(admin, shared.clone(), app));
    }
    tokio::spawn(serve_tcp(tcp, shared.clone()));
    tokio::spawn(serve_http(http, shared.clone(), app));
    tracing::info!(
        "tidegate {} is ready: tcp://{tcp_address} and ws://{http_address}/rsocket",
        env!("CARGO_PKG_VERSION")
    );
    drain(config, &shared, &mut signals, &totals).await;
    drop(data_dir);
    Ok(())
}

/// Waits for a signal, then for the connections to leave. A second signal ends it at once.
async fn drain(config: &Config, shared: &Shared, signals: &mut Signals, totals: &Totals) {
    let signal = signals.next().await;
    let streams = totals.live_streams();
    let deadline = shared.shutdown.begin(&config.drain, streams);
    let connections = shared.admission.open();
    tracing::info!(signal, connections, streams, "draining; a second signal ends it at once");
    let left = tokio::select! {
        biased;
        _ = signals.next() => shared.admission.open(),
        left = emptied(shared, deadline.into()) => left,
    };
    if left == 0 {
        tracing::info!("drained");
    } else {
        tracing::warn!(connections = left, "cut what was left");
    }
}

/// Resolves when no connection is open, or some time after the deadline with what is left.
async fn emptied(shared: &Shared, deadline: tokio::time::Instant) -> usize {
    const LOOK: Duration = Duration::from_millis(20);
    let mut look = tokio::time::interval(LOOK);
    loop {
        let open = shared.admission.open();
        if open == 0 || tokio::time::Instant::now() >= deadline + GRACE {
            return open;
        }
        look.tick().await;
    }
}

fn service(config: &Config, topics: &Topics) -> io::Result<Arc<Service>> {
    let limits = &config.limits;
    let router = router(topics, config.debug.routes, limits.channel_window);
    let router = router.map_err(io::Error::other)?;
    let key = config.auth.manage_key.as_ref().map(|key| key.reveal().to_owned());
    let service_limits = ServiceLimits {
        entries_max: limits.metadata_entries_max,
        effects_per_second: limits.fnf_per_second,
    };
    Ok(Arc::new(Service::new(router, Open::new(key.as_deref()), service_limits)))
}

fn shared(
    config: &Config,
    totals: &Arc<Totals>,
    admission: &Arc<Admission>,
    service: Arc<Service>,
) -> Shared {
    let limits = &config.limits;
    Shared {
        accept: Arc::new(move |setup| {
            let accepted = service.accept(&setup);
            Box::pin(async move { accepted })
        }),
        tcp_options: options(config, totals, limits.fragment_bytes_tcp),
        ws_options: options(config, totals, limits.fragment_bytes_ws),
        socket: TcpOptions { notsent_lowat: limits.notsent_lowat_bytes },
        admission: Arc::clone(admission),
        shutdown: Shutdown::new(),
    }
}

fn options(config: &Config, totals: &Arc<Totals>, fragment_bytes: usize) -> Options {
    let lease = LeaseGrant { requests: config.lease.requests, ttl: config.lease.ttl_ms.duration() };
    Options {
        limits: Arc::new(protocol_limits(config, fragment_bytes)),
        lease: Some(lease),
        frame_len_max: config.limits.frame_bytes_max,
        write_stall: config.limits.write_stall_ms.duration(),
        effects_max: config.limits.fnf_in_flight_max,
        totals: Arc::clone(totals),
    }
}

fn protocol_limits(config: &Config, fragment_bytes: usize) -> Limits {
    let limits = &config.limits;
    Limits {
        streams_max: limits.streams_per_connection_max,
        item_bytes_max: limits.item_bytes_max,
        inbound_bytes_max: limits.reassembly_bytes_max,
        reassemblies_max: limits.reassemblies_max,
        fragments_max: limits.fragments_max,
        empty_fragments_max: limits.empty_fragments_max,
        fragment_interval: limits.fragment_interval_ms.duration(),
        setup_timeout: limits.setup_ms.duration(),
        acceptor_timeout: limits.acceptor_ms.duration(),
        setup_bytes_max: limits.setup_bytes_max,
        keepalive_bytes_max: limits.keepalive_bytes_max,
        keepalive_min: limits.keepalive_ms_min.duration(),
        lifetime_min: limits.lifetime_ms_min.duration(),
        write_budget: limits.write_budget_bytes,
        responses_bytes_max: limits.responses_bytes_max,
        fragment_bytes,
        error_message_bytes_max: limits.error_message_bytes_max,
        surplus_items_max: limits.surplus_items_max,
        close_timeout: limits.close_ms.duration(),
        ..Limits::default()
    }
}

fn topics_config(config: &Config) -> TopicsConfig {
    let reactions = &config.reactions;
    TopicsConfig {
        topics_max: config.topics.topics_max,
        idle_ms: config.topics.idle_ms.get(),
        tally: TallyLimits {
            window_ms: reactions.window_ms.get(),
            keys_max: reactions.keys_per_topic_max,
            windows_max: reactions.windows_max,
            entries_max: reactions.entries_max,
        },
    }
}
