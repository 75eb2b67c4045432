//! The benchmark's upstream: answers every call with the same bytes at a low and constant cost.

use std::cell::Cell;
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::thread;
use std::time::Duration;

use memchr::memmem;
use serde_json::json;
use tokio::net::TcpListener;
use tokio::task::LocalSet;
use tokio::time::{MissedTickBehavior, interval};

use crate::http1::Connection;
use crate::{Fault, answers};

/// Time between two chunks of a paced stream.
pub const PACE: Duration = Duration::from_millis(5);
/// Chunks that leave in one write in a burst.
const PER_WRITE: usize = 5;
/// The path that tells how many calls were answered.
pub const COUNT_PATH: &str = "/count";

struct Answers {
    whole: Vec<u8>,
    models: Vec<u8>,
    pieces: Vec<Vec<u8>>,
    bursts: Vec<Vec<u8>>,
    calls: Cell<u64>,
}

/// Serves `--listen ADDRESS` until the process ends, after one line on stdout with the address bound.
pub async fn serve(arguments: &[String]) -> Result<(), Fault> {
    let address = match arguments {
        [flag, address] if flag == "--listen" => address,
        _ => return Err("usage: louver-bench upstream --listen ADDRESS".into()),
    };
    let listener = TcpListener::bind(address).await?;
    println!("{}", listener.local_addr()?);
    accept(listener).await
}

/// Serves on a free port of the loopback interface, on a thread of its own, until this process ends.
pub fn serve_beside() -> Result<SocketAddr, Fault> {
    let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
    listener.set_nonblocking(true)?;
    let address = listener.local_addr()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    thread::Builder::new().name("upstream".to_owned()).spawn(move || {
        let served = runtime
            .block_on(LocalSet::new().run_until(async { accept(TcpListener::from_std(listener)?).await }));
        eprintln!("the upstream ended: {served:?}");
    })?;
    Ok(address)
}

async fn accept(listener: TcpListener) -> Result<(), Fault> {
    let pieces = answers::stream_pieces();
    let bursts = pieces.chunks(PER_WRITE).map(|several| several.concat()).collect();
    let (whole, models) = (answers::whole(), answers::models());
    let answers = Rc::new(Answers { whole, models, pieces, bursts, calls: Cell::new(0) });
    loop {
        let (stream, _) = listener.accept().await?;
        let answers = Rc::clone(&answers);
        tokio::task::spawn_local(async move {
            if let Ok(mut connection) = Connection::new(stream) {
                // A peer that goes away mid-answer is its own business.
                let _gone = converse(&mut connection, &answers).await;
            }
        });
    }
}

async fn converse(connection: &mut Connection, answers: &Answers) -> io::Result<()> {
    let mut body = Vec::new();
    while let Some(head) = connection.head().await? {
        body.clear();
        connection.body(&head, &mut |piece| body.extend_from_slice(piece)).await?;
        if head.first_line.starts_with("GET ") {
            let counting = head.first_line.contains(COUNT_PATH);
            let count = || answers::json_answer(&json!({"calls": answers.calls.get()}));
            connection.send(&if counting { count() } else { answers.models.clone() }).await?;
        } else {
            answers.calls.set(answers.calls.get().saturating_add(1));
            answer(connection, answers, &body).await?;
        }
        if head.closes {
            break;
        }
    }
    Ok(())
}

async fn answer(connection: &mut Connection, answers: &Answers, body: &[u8]) -> io::Result<()> {
    let says = |words: &str| memmem::find(body, words.as_bytes()).is_some();
    if !says(r#""stream":true"#) && !says(r#""stream": true"#) {
        return connection.send(&answers.whole).await;
    }
    connection.send(answers::STREAM_HEAD).await?;
    if !says("paced") {
        for burst in &answers.bursts {
            connection.send(burst).await?;
        }
        return Ok(());
    }
    let mut ticks = interval(PACE);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
    for piece in &answers.pieces {
        ticks.tick().await;
        connection.send(piece).await?;
    }
    Ok(())
}
