//! The accept loop, and the worker threads: each with its own event loop and its own upstream connections.
//!
//! One loop accepts and hands connections out in turn; a connection stays with its worker, so that a call crosses no
//! thread on its way.

use crate::connection::Guarded;
use crate::head_check::MAX_HEAD;
use crate::pipeline::{Gateway, Plane};
use crate::settings::Settings;
use crate::upstream::Pool;
use http::StatusCode;
use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use hyper_util::server::graceful::GracefulShutdown;
use std::collections::HashMap;
use std::convert::Infallible;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio_rustls::TlsAcceptor;

/// A connection on its way to a worker, with what it occupies.
struct Arrival {
    stream: std::net::TcpStream,
    peer: SocketAddr,
    plane: Plane,
    seat: Seat,
}

/// A connection's place among all, and among those of its address.
pub(crate) struct Seat {
    _permit: OwnedSemaphorePermit,
    addresses: Arc<Mutex<HashMap<IpAddr, usize>>>,
    address: IpAddr,
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut addresses = self.addresses.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = addresses.get_mut(&self.address) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                addresses.remove(&self.address);
            }
        }
    }
}

/// The worker threads of a node.
pub struct Workers {
    senders: Vec<mpsc::UnboundedSender<Arrival>>,
    threads: Vec<JoinHandle<()>>,
}

impl Workers {
    /// Starts the threads.
    pub fn start(gateway: &Arc<Gateway>) -> io::Result<Self> {
        let mut workers = Self { senders: Vec::new(), threads: Vec::new() };
        for number in 0..gateway.settings().worker_threads.max(1) {
            let (sender, arrivals) = mpsc::unbounded_channel();
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            let gateway = Arc::clone(gateway);
            let thread = std::thread::Builder::new()
                .name(format!("louver-worker-{number}"))
                .spawn(move || runtime.block_on(work(gateway, arrivals)))?;
            workers.senders.push(sender);
            workers.threads.push(thread);
        }
        Ok(workers)
    }

    /// Stops taking connections, lets running calls finish within the drain time, and waits for the threads.
    pub fn drain(self) {
        drop(self.senders);
        for thread in self.threads {
            if thread.join().is_err() {
                tracing::error!("a worker thread panicked");
            }
        }
    }
}

/// Accepts connections until `stop`, handing them out in turn.
pub async fn serve(
    listener: TcpListener,
    plane: Plane,
    settings: &Settings,
    workers: &Workers,
    stop: impl Future<Output = ()>,
) {
    let seats = Arc::new(Semaphore::new(settings.max_connections));
    let addresses = Arc::new(Mutex::new(HashMap::new()));
    tokio::pin!(stop);
    for sender in workers.senders.iter().cycle() {
        let accepted = tokio::select! {
            () = &mut stop => return,
            accepted = accept(&listener, settings, &seats, &addresses) => accepted,
        };
        let (stream, peer, seat) = accepted;
        // Every worker has its receiver until its sender is dropped.
        let _ = sender.send(Arrival { stream, peer, plane, seat });
    }
}

/// The next connection that there is room for; others are closed at once.
async fn accept(
    listener: &TcpListener,
    settings: &Settings,
    seats: &Arc<Semaphore>,
    addresses: &Arc<Mutex<HashMap<IpAddr, usize>>>,
) -> (std::net::TcpStream, SocketAddr, Seat) {
    loop {
        let (stream, peer) = match listener.accept().await {
            Ok(accepted) => accepted,
            Err(error) => {
                // Out of file descriptors, mostly: wait for some to be free.
                tracing::warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(std::time::Duration::from_millis(20)).await;
                continue;
            }
        };
        let Ok(permit) = Arc::clone(seats).try_acquire_owned() else { continue };
        let address = peer.ip().to_canonical();
        let mut counts = addresses.lock().unwrap_or_else(PoisonError::into_inner);
        let count = counts.entry(address).or_insert(0);
        if *count >= settings.max_connections_per_address {
            continue;
        }
        *count = count.saturating_add(1);
        drop(counts);
        let seat = Seat { _permit: permit, addresses: Arc::clone(addresses), address };
        if stream.set_nodelay(true).is_err() {
            continue;
        }
        if let Ok(stream) = stream.into_std() {
            return (stream, peer, seat);
        }
    }
}

/// One worker: serves the connections it is given until no more can come, then drains.
async fn work(gateway: Arc<Gateway>, mut arrivals: mpsc::UnboundedReceiver<Arrival>) {
    let settings = gateway.settings();
    let pool = Pool::new(&gateway);
    let graceful = GracefulShutdown::new();
    while let Some(arrival) = arrivals.recv().await {
        tokio::spawn(connection(Arc::clone(&gateway), pool.clone(), graceful.watcher(), arrival));
    }
    let left = pool.left().clone();
    drop(pool);
    let all = async {
        graceful.shutdown().await;
        left.close();
        left.wait().await;
    };
    if tokio::time::timeout(settings.timeouts.drain, all).await.is_err() {
        tracing::warn!("calls were cut: they did not finish within the drain time");
    }
}

type Watcher = hyper_util::server::graceful::Watcher;

async fn connection(gateway: Arc<Gateway>, pool: Pool, watcher: Watcher, arrival: Arrival) {
    let Arrival { stream, peer, plane, seat } = arrival;
    let Ok(stream) = TcpStream::from_std(stream) else { return };
    let caller = Caller { gateway, pool, plane, address: peer.ip().to_canonical(), seat };
    let (settings, head) = (caller.gateway.settings(), caller.gateway.settings().timeouts.head);
    let Some(tls) = settings.tls.clone() else {
        // The first bytes tell the protocol; who says nothing in time is given up.
        let mut start = [0; 3];
        let Ok(Ok(length)) = tokio::time::timeout(head, stream.peek(&mut start)).await else { return };
        let http2 = start == *b"PRI" && length == start.len();
        return http(caller, watcher, stream, http2).await;
    };
    let handshake = tokio::time::timeout(head, TlsAcceptor::from(tls).accept(stream));
    if let Ok(Ok(stream)) = handshake.await {
        let http2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
        http(caller, watcher, stream, http2).await;
    }
}

/// What every request of one connection is answered with.
struct Caller {
    gateway: Arc<Gateway>,
    pool: Pool,
    plane: Plane,
    address: IpAddr,
    seat: Seat,
}

async fn http<S>(caller: Caller, watcher: Watcher, stream: S, http2: bool)
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let timeouts = caller.gateway.settings().timeouts;
    let switched = Arc::new(AtomicBool::new(false));
    let Caller { gateway, pool, plane, address, seat } = caller;
    let io = TokioIo::new(Guarded::new(stream, Arc::clone(&switched), seat, timeouts.write));
    let caller = Arc::new((gateway, pool, switched));
    let service = service_fn(move |request| {
        let caller = Arc::clone(&caller);
        async move {
            let (gateway, pool, switched) = &*caller;
            let response = gateway.answer(pool, plane, address, request).await;
            if response.status() == StatusCode::SWITCHING_PROTOCOLS {
                // Before the client learns of it: it may speak at once.
                switched.store(true, Ordering::Release);
            }
            Ok::<_, Infallible>(response)
        }
    });
    // How a connection ends is its client's affair: resets and time-outs are no events of ours.
    if http2 {
        let mut builder = http2::Builder::new(TokioExecutor::new());
        builder
            .timer(TokioTimer::new())
            .max_concurrent_streams(128)
            .max_header_list_size(64 * 1024)
            .max_pending_accept_reset_streams(20)
            .keep_alive_interval(timeouts.head)
            .keep_alive_timeout(timeouts.head);
        let _ = watcher.watch(builder.serve_connection(io, service)).await;
    } else {
        // Of the builders for HTTP/1.1 the one whose connections can both be told to end and leave HTTP.
        let mut builder = auto::Builder::new(TokioExecutor::new()).http1_only();
        builder.http1().timer(TokioTimer::new()).header_read_timeout(timeouts.head).max_buf_size(MAX_HEAD);
        let _ = watcher.watch(builder.serve_connection_with_upgrades(io, service)).await;
    }
}
