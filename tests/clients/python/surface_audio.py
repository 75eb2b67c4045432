"""The surface: sound, written down whole, streamed and in real time, and spoken."""

import base64
import io
import json
import wave

from checks import equal, holds, refused
from mistralai.extra.exceptions import RealtimeTranscriptionException
from mistralai.extra.realtime import RealtimeSpeech, RealtimeTranscription
from surface import MODES, no_object, no_route

LISTENER = "voxtral-mini-latest"
REALTIME = "voxtral-mini-transcribe-realtime-latest"
SPEAKER = "voxtral-mini-tts-latest"
SECONDS = 2
RATE = 16000


def sound():
    """A file of silence."""
    file = io.BytesIO()
    with wave.open(file, "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(RATE)
        out.writeframes(bytes(2 * RATE * SECONDS))
    return file.getvalue()


async def pieces():
    """Two seconds of raw sound, in four pieces."""
    for _ in range(4):
        yield bytes(2 * RATE * SECONDS // 4)


def add(checks, recorded):
    """Adds the checks."""
    client = recorded.client
    file = {"file_name": "a.wav", "content": sound(), "content_type": "audio/wav"}

    @checks.both("audio.transcriptions.complete", MODES)
    async def transcribe(mode):
        asked = {"model": LISTENER, "file": file, "language": "en", "temperature": 0.0, "diarize": True,
                 "timestamp_granularities": ["segment"], "context_bias": ["louver", "slat"]}
        answer = await mode.call(client.audio.transcriptions, "complete", **asked)
        holds(answer.text and answer.model.startswith("voxtral-mini"), f"text and model in {answer}")
        equal(answer.usage.prompt_audio_seconds, SECONDS, "seconds")

    @checks.both("audio.transcriptions.complete, by address and by file", MODES)
    async def transcribe_elsewhere(mode):
        answer = await mode.call(client.audio.transcriptions, "complete", model=LISTENER,
                                 file_url="https://example.com/a.mp3")
        holds(answer.text and answer.usage.prompt_audio_seconds > 0, f"text and seconds in {answer}")
        kept = await mode.call(client.files, "upload", file=file, purpose="audio")
        answer = await mode.call(client.audio.transcriptions, "complete", model=LISTENER, file_id=kept.id)
        holds(answer.text and answer.usage.prompt_audio_seconds > 0, f"text and seconds in {answer}")
        await mode.call(client.files, "delete", file_id=kept.id)
        await no_object(lambda: mode.call(client.audio.transcriptions, "complete", model=LISTENER, file_id=kept.id))

    @checks.both("audio.transcriptions.stream", MODES)
    async def transcribe_stream(mode):
        asked = {"model": LISTENER, "file": file}
        events = await mode.stream(client.audio.transcriptions, **asked)
        whole = await mode.call(client.audio.transcriptions, "complete", **asked)
        said = "".join(event.text for event in events if event.type == "transcription.text.delta")
        equal((said, events[-1].text), (whole.text, whole.text), "text of the stream")
        equal(events[-1].type, "transcription.done", "last event")
        equal(events[-1].usage.prompt_audio_seconds, SECONDS, "seconds")

    @checks.both("audio.speech.complete", MODES)
    async def speak(mode):
        asked = {"model": SPEAKER, "input": "Slats let the air through.", "response_format": "wav"}
        answer = await mode.call(client.audio.speech, "complete", **asked)
        heard = base64.b64decode(answer.audio_data)
        holds(len(heard) > 100, "there is sound")
        events = await mode.stream(client.audio.speech, "complete", stream=True, **asked)
        said = b"".join(base64.b64decode(event.audio_data) for event in events if event.type == "speech.audio.delta")
        equal((said, events[-1].type), (heard, "speech.audio.done"), "sound of the stream, and its last event")

    @checks.both("audio.speech.complete, with a voice that is not the workspace's", MODES)
    async def speak_as(mode):
        await no_object(lambda: mode.call(client.audio.speech, "complete", model=SPEAKER, input="x", voice_id="v"))

    @checks.check("realtime transcription over a WebSocket")
    async def realtime():
        listener = RealtimeTranscription(client.sdk_configuration)
        shape = {"encoding": "pcm_s16le", "sample_rate": RATE}
        heard = listener.transcribe_stream(pieces(), model=REALTIME, audio_format=shape)
        events = [event async for event in heard]
        equal(events[-1].type, "transcription.done", f"last event of {events}")
        said = "".join(event.text for event in events if event.type == "transcription.text.delta")
        equal(events[-1].text, said, "text")
        equal(events[-1].usage.prompt_audio_seconds, SECONDS, "seconds")

    @checks.check("realtime transcription with a model that is not for it")
    async def realtime_refused():
        listener = RealtimeTranscription(client.sdk_configuration)
        error = await refused(RealtimeTranscriptionException, lambda: listener.connect(model=SPEAKER))
        holds("403" in str(error), f"status in {error}")

    @checks.check("realtime speech is not there")
    async def realtime_speech():
        speaker = RealtimeSpeech(client.sdk_configuration)
        error = None
        try:
            await speaker.connect(model=SPEAKER)
        except Exception as raised:
            error = raised
        holds(error is not None and "404" in str(error), f"status in {error!r}")
