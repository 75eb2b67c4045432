//! Serves a simulator on a TCP socket, by HTTP/1.1 (with WebSockets) and cleartext HTTP/2.

use std::{convert::Infallible, future::Future, pin::pin, time::Duration};

use hyper::service::service_fn;
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::conn::auto::Builder,
};
use tokio::{
    net::{TcpListener, TcpStream},
    task::JoinSet,
};

use crate::simulator::Simulator;

/// How many HTTP/2 streams a connection may have at once.
const STREAMS: u32 = 1000;
/// How long to wait when the system has no more sockets to give.
const BREATH: Duration = Duration::from_millis(10);

impl Simulator {
    /// Serves until `shutdown` is done; then all connections are cut at once, also those with a call under way.
    pub async fn serve(&self, listener: TcpListener, shutdown: impl Future<Output = ()>) {
        let mut connections = JoinSet::new();
        let mut shutdown = pin!(shutdown);
        loop {
            tokio::select! {
                () = &mut shutdown => break,
                Some(_) = connections.join_next() => {}
                accepted = listener.accept() => match accepted {
                    Ok((socket, _)) => {
                        connections.spawn(connection(self.clone(), socket));
                    }
                    Err(_) => tokio::time::sleep(BREATH).await,
                },
            }
        }
        self.cut_sessions();
        connections.shutdown().await;
    }
}

async fn connection(simulator: Simulator, socket: TcpStream) {
    // Where the socket option cannot be set the answers come a little later, no more.
    let _ = socket.set_nodelay(true);
    let service = service_fn(move |request| {
        let simulator = simulator.clone();
        async move { Ok::<_, Infallible>(simulator.answer(request).await) }
    });
    let mut builder = Builder::new(TokioExecutor::new());
    builder.http2().max_concurrent_streams(STREAMS);
    // A connection's end is in the ledger where it matters, as the end of its calls.
    let _ = builder.serve_connection_with_upgrades(TokioIo::new(socket), service).await;
}
