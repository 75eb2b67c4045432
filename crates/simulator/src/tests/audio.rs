//! Audio that is written down, and texts that are spoken.

use super::*;
use crate::{Billed, Fault, Rule, count_tokens};

const TRANSCRIBE: &str = "/v1/audio/transcriptions";

/// A form of these fields, and a file of so many bytes if there are any.
fn form(fields: &[(&str, &str)], bytes: usize) -> Request<Full<Bytes>> {
    let mut body = Vec::new();
    for (name, value) in fields {
        body.extend(
            format!("--x\r\ncontent-disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n").bytes(),
        );
    }
    if bytes > 0 {
        body.extend(b"--x\r\ncontent-disposition: form-data; name=\"file\"; filename=\"a.mp3\"\r\n\r\n");
        body.resize(body.len() + bytes, 7);
        body.extend(b"\r\n");
    }
    body.extend(b"--x--\r\n");
    let mut request = request("POST", TRANSCRIBE, body);
    request.headers_mut().insert("content-type", "multipart/form-data; boundary=x".parse().unwrap());
    request
}

async fn send(served: &Served, request: Request<Full<Bytes>>) -> Got {
    Got::from(served.send(request).await.unwrap()).await
}

fn billed(seconds: u64, completion: u64) -> Billed {
    let tokens = Billed::new(4, completion).with_audio((seconds * 25).div_ceil(2));
    Billed { audio_seconds: seconds, ..tokens }
}

#[tokio::test]
async fn a_file_is_written_down() {
    let served = booking().await;
    let fields = [("model", "nope"), ("language", "fr"), ("model", "voxtral-mini-2602"), ("any", "thing")];
    let answer = send(&served, form(&fields, 32_000 * 9 + 1)).await.json();
    let text = answer["text"].as_str().unwrap();
    assert!(text.starts_with("Simulated"));
    assert_eq!((&answer["model"], &answer["language"]), (&json!("voxtral-mini-2602"), &json!("fr")));
    assert_eq!(answer["segments"], json!([]));
    assert_eq!(count_tokens(text), 30);
    assert_eq!(
        answer["usage"],
        json!({"prompt_audio_seconds": 10, "prompt_tokens": 4, "completion_tokens": 30, "total_tokens": 159,
            "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 125}})
    );
    let (account, totals) = served.booked("voxtral-mini-2602").await;
    assert_eq!((account.endpoint, totals.calls), (Endpoint::Transcriptions, 1));
    assert_eq!((totals.billed, totals.worked), (billed(10, 30), billed(10, 30)));
}

#[tokio::test]
async fn it_is_streamed() {
    let served = serve(config(1)).await;
    let url = "https://a.test/x.mp3?seconds=25";
    let fields = [
        ("model", "voxtral-mini-2602"),
        ("file_url", url),
        ("stream", "on"),
        ("timestamp_granularities", "segment"),
    ];
    let got = send(&served, form(&fields, 0)).await;
    assert_eq!(got.headers["content-type"], "text/event-stream; charset=utf-8");
    let events = named(got.text());
    assert_eq!(events[0].1["audio_language"], "en");
    let of =
        |name: &str| events.iter().filter(|event| event.0 == name).map(|event| &event.1).collect::<Vec<_>>();
    let deltas: String =
        of("transcription.text.delta").iter().map(|event| event["text"].as_str().unwrap()).collect();
    let segments = of("transcription.segment");
    assert_eq!(segments.iter().map(|event| event["end"].as_u64().unwrap()).collect::<Vec<_>>(), [10, 20, 25]);
    let (name, done) = events.last().unwrap();
    assert_eq!((name.as_str(), &done["text"]), ("transcription.done", &json!(deltas)));
    assert_eq!(done["usage"]["prompt_audio_seconds"], 25);
    let entry = served.last().await;
    assert!(entry.stream);
    assert_eq!(entry.billed, billed(25, 75));
    let whole = send(&served, form(&fields[..2], 0)).await.json();
    assert_eq!((&whole["text"], &whole["usage"]), (&done["text"], &done["usage"]));
}

#[tokio::test]
async fn a_cut_stream_is_billed_for_its_seconds() {
    let served = booking().await;
    served.simulator.script(Rule::new(Fault::ResetAfter { after: 5 }).at(Endpoint::Transcriptions));
    let fields = [("model", "voxtral-mini-2602"), ("file_id", "f"), ("stream", "true")];
    let response = served.send(form(&fields, 64_000)).await.unwrap();
    assert!(!until_cut(response).await.1);
    let (_, totals) = served.booked("voxtral-mini-2602").await;
    assert_eq!((totals.billed, totals.worked), (billed(2, 4), billed(2, 6)));
    served.simulator.script(Fault::TwoUsages);
    let events = named(send(&served, form(&fields, 64_000)).await.text());
    let said = events.iter().filter_map(|(_, event)| event["usage"]["prompt_audio_seconds"].as_u64());
    assert_eq!(said.collect::<Vec<_>>(), [1, 2]);
    served.simulator.script(Fault::WrongUsage { prompt: -3, completion: 1, total: 1 });
    let answer = send(&served, form(&fields[..2], 64_000)).await.json();
    assert_eq!(answer["usage"]["prompt_audio_seconds"], -3);
}

#[tokio::test]
async fn what_is_no_form_is_refused() {
    let served = serve(config(1)).await;
    let got =
        served.post(TRANSCRIBE, &json!({"model": "voxtral-mini-2602", "file_url": "https://a.test"})).await;
    assert_eq!(got.status, 422);
    assert_eq!(got.json()["message"], "make sure the request is formatted as a multipart/form-data request");
    for (fields, bytes, status) in [
        (&[("model", "voxtral-mini-2602")][..], 0, 422),
        (&[("file_id", "f")], 9, 422),
        (&[("model", "gpt")], 9, 400),
        (&[("model", "voxtral-mini-2602"), ("stream", "maybe")], 9, 422),
        (&[("model", "voxtral-mini-2602"), ("file_url", "file:///etc")], 0, 400),
        (&[("model", "voxtral-mini-2602")], 9, 200),
    ] {
        assert_eq!(send(&served, form(fields, bytes)).await.status, status, "{fields:?}");
    }
    let entry = &served.simulator.ledger()[3];
    assert_eq!(entry.model.as_deref(), Some("gpt"));
}

#[tokio::test]
async fn a_text_is_spoken_and_billed_in_characters() {
    let served = booking().await;
    let input = "Größe, naïveté, 日本";
    let body = json!({"model": null, "input": input, "voice_id": "v", "anything": {"else": 1}});
    let whole = served.post("/v1/audio/speech", &body).await.json();
    assert_eq!(whole.as_object().unwrap().len(), 1);
    let sound = crate::audio::decode(whole["audio_data"].as_str().unwrap()).unwrap();
    assert_eq!(sound.len(), 64 * 18);
    let body = json!({"input": input, "stream": 1, "metadata": {"simulator": {"chunks": 4}}});
    let got = served.post("/v1/audio/speech", &body).await;
    let events = named(got.text());
    assert_eq!(events.len(), 5);
    let part =
        |event: &(String, Value)| crate::audio::decode(event.1["audio_data"].as_str().unwrap()).unwrap();
    assert_eq!(events[..4].iter().flat_map(part).collect::<Vec<u8>>(), sound);
    assert_eq!(events[4].0, "speech.audio.done");
    assert_eq!(events[4].1["usage"]["prompt_tokens"], count_tokens(input));
    let (account, totals) = served.booked("voxtral-mini-tts-2603").await;
    assert_eq!((account.endpoint, totals.calls), (Endpoint::Speech, 2));
    assert_eq!(totals.billed, Billed { characters: 36, ..Billed::default() });
    assert!(served.last().await.stream);
    for bad in [json!({}), json!({"input": 5}), json!({"input": "a", "model": 5})] {
        assert_eq!(served.post("/v1/audio/speech", &bad).await.status, 422, "{bad}");
    }
}
