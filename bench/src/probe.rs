//! Looks once at the content of a contestant's answers, so that load tests may look at lengths alone.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use serde_json::Value;
use tokio::time::{sleep, timeout};

use crate::client::{Answer, Client};
use crate::contestant::{Kind, Target};
use crate::process::Process;
use crate::prompts::Prompt;
use crate::{Fault, answers};

const START_PATIENCE: Duration = Duration::from_secs(180);
const CALL_PATIENCE: Duration = Duration::from_secs(10);

/// Calls until the first answer of status 200 comes, a millisecond apart.
pub async fn first_answer(target: &Target, mut process: Option<&mut Process>) -> Result<(), Fault> {
    let request = Prompt::Small.request(target.address, &target.headers);
    let patience = Instant::now() + START_PATIENCE;
    let mut last = "no connection".to_owned();
    while Instant::now() < patience {
        if let Some(process) = process.as_deref_mut() {
            process.check_alive()?;
        }
        match timeout(CALL_PATIENCE, Client::new(target.address).fetch(&request)).await {
            Ok(Ok((Answer { status: 200, .. }, _))) => return Ok(()),
            Ok(Ok((answer, body))) => {
                last = format!("status {}: {:.200}", answer.status, String::from_utf8_lossy(&body));
            }
            Ok(Err(fault)) => last = fault.to_string(),
            Err(_) => last = "no answer in time".to_owned(),
        }
        sleep(Duration::from_millis(1)).await;
    }
    Err(format!("never answered with 200: {last}").into())
}

/// Asks everything once and compares the content with what the upstream says; a wrong key must be refused.
pub async fn contents(kind: Kind, target: &Target) -> Result<BTreeMap<Prompt, Answer>, Fault> {
    let mut expected = BTreeMap::new();
    for prompt in Prompt::ALL {
        let request = prompt.request(target.address, &target.headers);
        let (answer, body) = Client::new(target.address).fetch(&request).await?;
        if answer.status != 200 {
            let text = String::from_utf8_lossy(&body);
            return Err(format!("{prompt:?} was answered {}: {text:.200}", answer.status).into());
        }
        if prompt.streams() {
            check_stream(&body)?
        } else {
            check_whole(&body)?
        }
        expected.insert(prompt, answer);
    }
    if kind.checks_keys() {
        refuses_wrong_key(target).await?;
    }
    Ok(expected)
}

async fn refuses_wrong_key(target: &Target) -> Result<(), Fault> {
    let request = Prompt::Small.request(target.address, "authorization: Bearer sk-this-is-no-key\r\n");
    let (answer, _) = Client::new(target.address).fetch(&request).await?;
    match answer.status {
        400..=403 => Ok(()),
        status => Err(format!("a wrong key was answered {status}").into()),
    }
}

fn check_whole(body: &[u8]) -> Result<(), Fault> {
    let body: Value = serde_json::from_slice(body)?;
    let text = body.pointer("/choices/0/message/content").and_then(Value::as_str);
    if text == Some(answers::TEXT) { Ok(()) } else { Err(format!("wrong content: {body:.300}").into()) }
}

fn check_stream(body: &[u8]) -> Result<(), Fault> {
    let body = std::str::from_utf8(body)?;
    let events: Vec<&str> = body.lines().filter_map(|line| line.strip_prefix("data: ")).collect();
    let (last, chunks) = events.split_last().ok_or("a stream without events")?;
    let mut text = String::new();
    for chunk in chunks {
        let chunk: Value = serde_json::from_str(chunk)?;
        text += chunk.pointer("/choices/0/delta/content").and_then(Value::as_str).unwrap_or_default();
    }
    if *last != "[DONE]" || text != answers::streamed_text() {
        return Err(format!("wrong stream of {} events, text {text:.60}…", events.len()).into());
    }
    Ok(())
}
